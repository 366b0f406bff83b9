// Questions that interrupt the work: a reason, the history, the help, a lost lease.

import { call } from "./api.js";
import { buttons, close, element, onEnter, open } from "./dom.js";

export function askText(title, hint, text, required = true) {
  return new Promise((found) => {
    const input = element("textarea", { rows: 3, maxLength: 2000, value: text, ariaLabel: title });
    const take = () => {
      if (required && !input.value.trim()) return input.focus();
      close();
      found(input.value.trim());
    };
    input.onkeydown = onEnter(take);
    open(title, element("p", { className: "hint", textContent: hint }), input, buttons(["Cancel", close], ["OK", take, true]));
    input.focus();
  });
}

export async function showHistory(task, restore) {
  const events = await call("GET", `tasks/${task}/history`);
  const latest = events.length ? events[events.length - 1].seq : 0; // a stroke may be newer than what the page shows
  const row = (number, when, what) => {
    const back = element("button", { type: "button", textContent: "restore", disabled: number === latest, onclick: () => (close(), restore(number)) });
    return element("tr", {}, element("td", { textContent: number }), element("td", { textContent: when }),
      element("td", { textContent: what }), element("td", {}, back));
  };
  const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const rows = events.map((event) => row(event.seq, `${time(event.at)} ${event.who}`, event.edit)).reverse();
  rows.push(row(0, "", "as the model predicted it"));
  open("History of this object", element("table", {}, ...rows), buttons(["Close", close]));
}

export function showHelp(keys) {
  const rows = keys.map(([key, what]) => element("li", {}, element("kbd", { textContent: key }), element("span", { textContent: what })));
  open("Keys", element("ul", { className: "keys" }, ...rows), buttons(["Close", close]));
}

export async function showProgress() {
  const known = await call("GET", "progress");
  const cell = (text, number = true) => element("td", { textContent: text, className: number ? "number" : "" });
  const minutes = (seconds) => `${(seconds / 60).toFixed(1)} min`;
  const people = known.annotators.map((one) => element("tr", {}, cell(one.name, false), cell(one.done), cell(one.rejected), cell(minutes(one.seconds))));
  const head = ["Annotator", "Done", "Rejected", "Active"].map((text, at) => element("th", { textContent: text, className: at ? "number" : "" }));
  const agreed = known.agreement
    ? `Second opinions: ${known.pairs} ${known.pairs === 1 ? "pair" : "pairs"}; the same name on ${Math.round(100 * known.agreement.same)} % of the surface, kappa ${known.agreement.kappa.toFixed(2)}.`
    : "No object has two opinions yet.";
  const pace = known.seconds_per_object === null ? "" : ` An object takes ${minutes(known.seconds_per_object)} (median).`;
  open("Who has done what", element("p", { textContent: `${known.objects} objects: ${known.done} done, ${known.rejected} rejected, ${known.open} open, ${known.waiting} waiting.${pace}` }),
    element("table", {}, element("tr", {}, ...head), ...people), element("p", { textContent: agreed }), buttons(["Close", close]));
}

export function leaseLost(detail, handIn, next) {
  open("Somebody else has this object now", element("p", { textContent: detail }),
    buttons(["Next object", () => (close(), next())], ["Hand in as a second opinion", () => (close(), handIn()), true]));
}
