"use strict";
// The list of parts beside the 3D view. Names come from people and files: they are only ever set as text.

const objects = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
let glb = null;
let rows = [];
let alone = -1;
let lit = -1;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Leaves, the rows that have a mesh, of a row: itself, or those below it.
const leavesOf = (number) => new Set(rows.filter((row) => row.leaf && row.above.has(number)).map((row) => row.number));
const chosen = () => rows.filter((row) => row.leaf && row.box.checked);

function prepare(given) {
  rows = given.map((row, number) => ({ ...row, number, leaf: true, above: new Set([number]), depth: 0 }));
  for (const row of rows) {
    if (row.parent < 0) continue;
    const parent = rows[row.parent];
    parent.leaf = false;
    row.depth = parent.depth + 1;
    parent.above.forEach((number) => row.above.add(number));
  }
}

function line(row) {
  row.box = element("input", { type: "checkbox", ariaLabel: `Select ${row.name}` });
  row.box.addEventListener("change", () => select(leavesOf(row.number), row.box.checked));
  const words = row.name.split(/(?<=[_/])/).flatMap((word) => [word, element("wbr")]);
  row.button = element("button", { type: "button", title: row.description }, element("strong", {}, ...words));
  if (row.position) row.button.append(" ", element("small", { textContent: row.position }));
  if (row.needs_review && !row.depth) row.button.append(" ", element("small", { className: "review", textContent: "needs review" }));
  row.button.addEventListener("focus", () => light(row.number));
  row.button.addEventListener("blur", () => light(-1));
  const color = element("i");
  color.style.background = row.color;
  const confidence = row.confidence === null || row.depth ? "" : row.confidence.toFixed(2);
  row.item = element("li", { className: "row" }, row.box, color, row.button,
    element("span", { textContent: confidence }), element("span", { textContent: percent(row.area) }));
  row.item.style.setProperty("--depth", row.depth);
  row.item.addEventListener("pointerenter", () => light(row.number));
  row.item.addEventListener("pointerleave", () => light(-1));
  row.item.addEventListener("click", (event) => { if (event.target !== row.box) isolate(row.number); });
  return row.item;
}

function select(leaves, on) {
  leaves.forEach((number) => { rows[number].box.checked = on; });
  const state = (box, below) => {
    box.checked = below.length > 0 && below.every((row) => row.box.checked);
    box.indeterminate = !box.checked && below.some((row) => row.box.checked);
  };
  const below = (number) => [...leavesOf(number)].map((leaf) => rows[leaf]);
  rows.filter((row) => !row.leaf).forEach((row) => state(row.box, below(row.number)));
  state(byId("every"), rows.filter((row) => row.leaf));
  byId("export").disabled = !chosen().length;
  byId("export").textContent = chosen().length ? `Export selection (${chosen().length})` : "Export selection";
}

// Lights a row up in the list and in 3D; -1 none.
function light(number) {
  if (number === lit) return;
  lit = number;
  rows.forEach((row) => row.item.classList.toggle("lit", row.number === number));
  stage?.highlight(number < 0 ? null : leavesOf(number));
}

// Shows a row alone; all where it is -1, or alone already.
function isolate(number) {
  alone = number === alone ? -1 : number;
  for (const row of rows) {
    row.item.classList.toggle("alone", row.number === alone);
    row.button.setAttribute("aria-pressed", String(row.number === alone));
  }
  byId("all").disabled = alone < 0;
  if (alone < 0) point(-1);
  stage?.isolate(alone < 0 ? null : leavesOf(alone));
}

function point(number, event) {
  light(number);
  const tip = byId("tip");
  byId("stage").classList.toggle("over", number >= 0);
  tip.hidden = number < 0;
  if (number < 0) return;
  const { name, position, confidence, needs_review: review } = rows[number];
  const said = [position && `${name} (${position})`, !position && name, confidence !== null && confidence.toFixed(2), review && "needs review"];
  tip.textContent = said.filter(Boolean).join(" · ");
  const [frame, width] = [byId("stage").getBoundingClientRect(), tip.offsetWidth];
  tip.style.left = `${Math.max(4, Math.min(event.clientX - frame.left + 14, frame.width - width - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY - frame.top + 16, frame.height - tip.offsetHeight - 4))}px`;
  const list = byId("list");
  if (list.scrollHeight > list.clientHeight) rows[number].item.scrollIntoView({ block: "nearest" });
}

// Saves the selected nodes, and the nodes above them, as a GLB.
function save() {
  const kept = new Set(chosen().flatMap((row) => [...row.above]).map((number) => rows[number].node));
  const link = element("a", { href: URL.createObjectURL(subset(glb, kept)), download: `${objects[byId("object").value].name}.selection.glb` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  byId("status").textContent = `${link.download}: ${chosen().map((row) => row.name).join(", ")}`;
}

async function open(number) {
  const { title, category, rows: given } = objects[number];
  byId("status").textContent = "Loading";
  point(-1);
  alone = -1;
  prepare(given);
  byId("object").value = number;
  byId("title").textContent = title;
  const parts = given.filter((row) => row.parent < 0).length;
  byId("about").textContent = [category, `${parts} ${parts === 1 ? "part" : "parts"}`].filter(Boolean).join(" · ");
  byId("list").replaceChildren(...rows.map(line));
  select([], true);
  byId("all").disabled = true;
  byId("explode").value = 0;
  glb = await unpack(byId(`glb-${number}`).textContent);
  const leaves = rows.filter((row) => row.leaf);
  await stage?.show(glb, leaves.map((row) => [row.number, row.node, row.color]));
  byId("status").textContent = "";
  document.body.dataset.shown = number;
}

function makeStage() {
  try {
    return new Stage(byId("stage"), point, (row) => isolate(row < 0 ? alone : row));
  } catch {
    byId("stage").textContent = "The 3D view needs WebGL 2, which this browser does not have or has switched off.";
    return null;
  }
}

// One after the other: the last that was asked for is the one that stays.
let opening = Promise.resolve();
function change(number) {
  opening = opening.then(() => open(number)).catch((error) => { byId("status").textContent = `Cannot be shown: ${error.message}`; });
}

const stage = makeStage();
objects.forEach(({ title }, number) => byId("object").append(element("option", { value: number, textContent: title })));
byId("object").hidden = objects.length < 2;
byId("title").hidden = objects.length > 1;
byId("object").addEventListener("change", (event) => change(Number(event.target.value)));
byId("show").addEventListener("change", (event) => {
  byId("stage").dataset.only = event.target.value;
  stage?.draw();
});
if (matchMedia("(max-width: 760px)").matches) document.querySelector("[name=show][value=parts]").click();
byId("explode").addEventListener("input", (event) => stage?.explode(event.target.value / 100));
byId("reset").addEventListener("click", () => stage?.reset());
byId("all").addEventListener("click", () => isolate(alone));
byId("every").addEventListener("change", (event) => select(rows.filter((row) => row.leaf).map((row) => row.number), event.target.checked));
byId("export").addEventListener("click", save);
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && alone >= 0) isolate(alone); });
change(0);
