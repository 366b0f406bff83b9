// The search for a name: the vocabulary with its synonyms, or a new one with a description.

import { call } from "./api.js";
import { buttons, close, element, onEnter, open, toast } from "./dom.js";

export function askName(title, category, present) {
  return new Promise((found) => {
    let hits = [];
    let at = 0;
    let asked = 0;
    let answered = null; // the last search, under way or not
    let typed = false; // until then: all names of the category
    const input = element("input", { type: "text", value: present, maxLength: 120, role: "combobox", ariaLabel: "Name" });
    const list = element("ul", { role: "listbox", ariaLabel: "Names that fit" });
    const fresh = element("button", { type: "button", onclick: () => describe() });

    const take = (name, description) => {
      close();
      found({ name, description });
    };
    const mark = () => [...list.children].forEach((row, index) => {
      row.setAttribute("aria-selected", index === at);
      if (index === at) row.scrollIntoView({ block: "nearest" });
    });
    const search = async () => {
      const mine = ++asked;
      fresh.textContent = `Add “${input.value.trim()}” as a new name…`;
      fresh.hidden = !input.value.trim();
      const query = new URLSearchParams({ q: typed ? input.value.trim() : "", category });
      const answer = await call("GET", `vocabulary?${query}`).catch((error) => (toast(error.message), []));
      if (mine !== asked) return;
      hits = answer;
      at = 0;
      list.replaceChildren(...hits.map((hit) => {
        const also = hit.synonym ? ` (${hit.synonym})` : "";
        const row = element("li", { role: "option", textContent: hit.name + also, onclick: () => take(hit.name, hit.description) });
        row.append(element("small", { textContent: [hit.category, hit.description].filter(Boolean).join(": ") }));
        return row;
      }));
      mark();
    };
    const describe = () => {
      const name = input.value.trim();
      const text = element("textarea", { rows: 3, maxLength: 2000, ariaLabel: "Description" });
      const add = async () => {
        await call("POST", "vocabulary", { category, name, description: text.value }).then(
          () => take(name, text.value),
          (error) => toast(error.message),
        );
      };
      text.onkeydown = onEnter(add);
      open(`A new name: ${name}`, element("p", { className: "hint", textContent: "What is it, and what does it do?" }), text,
        buttons(["Cancel", close], ["Add", add, true]));
      text.focus();
    };
    input.oninput = () => {
      typed = true;
      answered = search();
    };
    const confirm = async () => {
      await answered; // else a quick typist gets what fitted the letters before
      if (hits[at]) take(hits[at].name, hits[at].description);
      else if (input.value.trim()) describe();
    };
    input.onkeydown = (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        at = Math.max(0, Math.min(hits.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
        mark();
        event.preventDefault();
      } else if (event.key === "Enter") {
        event.preventDefault();
        confirm();
      }
    };
    open(title, input, list, fresh);
    input.select();
    answered = search();
  });
}
