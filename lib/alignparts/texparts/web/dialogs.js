// Questions that interrupt the work: a reason, the history, the help, a lost lease.

import { call } from "./api.js";
import { buttons, close, element, open } from "./dom.js";

export function askText(title, hint, text, required = true) {
  return new Promise((found) => {
    const input = element("textarea", { rows: 3, maxLength: 2000, value: text, ariaLabel: title });
    const take = () => {
      if (required && !input.value.trim()) return input.focus();
      close();
      found(input.value.trim());
    };
    open(title, element("p", { className: "hint", textContent: hint }), input, buttons(["Cancel", close], ["OK", take, true]));
    input.focus();
  });
}

export async function showHistory(task, seq, restore) {
  const events = await call("GET", `tasks/${task}/history`);
  const row = (number, when, what) => {
    const back = element("button", { type: "button", textContent: "restore", disabled: number === seq, onclick: () => (close(), restore(number)) });
    return element("tr", {}, element("td", { textContent: number }), element("td", { textContent: when }),
      element("td", { textContent: what }), element("td", {}, back));
  };
  const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const rows = events.map((event) => row(event.seq, `${time(event.at)} ${event.who}`, event.edit)).reverse();
  rows.push(row(0, "", "as the model predicted it"));
  open("History of this object", element("table", {}, ...rows), buttons(["Close", close]));
}

export function showHelp(keys) {
  const rows = keys.map(([key, what]) => element("tr", {}, element("td", {}, element("kbd", { textContent: key })), element("td", { textContent: what })));
  open("Keys", element("table", {}, ...rows), buttons(["Close", close]));
}

export function leaseLost(detail, handIn, next) {
  open("Somebody else has this object now", element("p", { textContent: detail }),
    buttons(["Next object", () => (close(), next())], ["Hand in as a second opinion", () => (close(), handIn()), true]));
}
