// The list of parts: low confidence first, several may be selected.

import { $, element } from "./dom.js";

const percent = (value) => Math.round(100 * value);

function meter(value, what) {
  const shown = element("meter", { min: 0, max: 1, low: 0.5, high: 0.8, optimum: 1, value });
  shown.title = `${what}: ${percent(value)} % sure`;
  shown.setAttribute("aria-label", shown.title);
  return [shown, element("span", { textContent: percent(value), title: shown.title, ariaHidden: true })];
}

export class PartList {
  constructor(changed) {
    this.list = $("parts");
    this.changed = changed;
    this.parts = [];
    this.selected = [];
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) this.choose(Number(row.dataset.id), event.ctrlKey || event.metaKey, event.shiftKey);
    });
  }

  get first() {
    return this.parts.find((part) => part.id === this.selected[0]);
  }

  show(parts) {
    this.parts = parts;
    const kept = this.selected.filter((id) => parts.some((part) => part.id === id));
    this.selected = kept;
    this.list.replaceChildren(...parts.map((part, index) => this.row(part, index)));
    this.mark();
  }

  row(part, index) {
    const swatch = element("span", { className: "swatch" });
    swatch.style.setProperty("background", part.color);
    const name = element("span", { className: "name", textContent: part.name, title: part.description || part.name });
    const bars = element("span", { className: "bars" }, ...meter(part.confidence, "name"), ...meter(part.mask_confidence, "faces"));
    const area = element("span", { className: "area", textContent: `${(100 * part.area).toFixed(part.area < 0.1 ? 1 : 0)} %` });
    const tick = element("span", { className: "tick", textContent: part.accepted ? "✓" : "", ariaLabel: part.accepted ? "accepted" : "to check" });
    const number = element("span", { className: "number", textContent: index + 1 });
    return element("li", { role: "option", className: part.accepted ? "accepted" : "", dataset: { id: part.id } }, number, swatch, name, bars, area, tick);
  }

  choose(id, add = false, range = false) {
    const order = this.parts.map((part) => part.id);
    if (range && this.selected.length) {
      const [a, b] = [order.indexOf(this.selected[0]), order.indexOf(id)];
      const between = order.slice(Math.min(a, b), Math.max(a, b) + 1);
      this.selected = [this.selected[0], ...between.filter((one) => one !== this.selected[0])];
    } else if (add) {
      this.selected = this.selected.includes(id) ? this.selected.filter((one) => one !== id) : [...this.selected, id];
    } else {
      this.selected = id === -1 ? [] : [id];
    }
    this.mark();
    this.changed(this.selected);
  }

  move(step, add = false) {
    if (!this.parts.length) return;
    const order = this.parts.map((part) => part.id);
    const at = order.indexOf(this.selected.at(-1));
    const to = at < 0 ? (step > 0 ? 0 : order.length - 1) : Math.max(0, Math.min(order.length - 1, at + step));
    this.choose(order[to], add);
  }

  next() {
    const open = this.parts.find((part) => !part.accepted);
    this.choose(open ? open.id : -1);
  }

  mark() {
    for (const row of this.list.children) {
      const chosen = this.selected.includes(Number(row.dataset.id));
      row.setAttribute("aria-selected", chosen);
      if (chosen && Number(row.dataset.id) === this.selected.at(-1)) row.scrollIntoView({ block: "nearest" });
    }
  }
}
