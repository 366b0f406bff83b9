// The review: takes an object, shows it, sends edits, hands it in.

import { call, Failure, Outbox } from "./api.js";
import { askText, leaseLost, showHelp, showHistory, showProgress } from "./dialogs.js";
import { $, element, toast } from "./dom.js";
import { askName } from "./names.js";
import { PartList } from "./parts.js";

const BEAT = 15000;
let state = null;
let outbox = null;
let changes = null;
let tool = { tool: "orbit", part: -1, radius: 0.05, clusters: 8 };
let mode = "parts";
let isolated = null;
let active = true;

const list = new PartList((parts) => {
  view("select", { parts });
  if (tool.tool !== "orbit" && !tool.erase) setTool({});
  if (isolated !== null) isolate(parts[0] ?? null);
  enable();
});

const view = (what, body) => call("POST", `view/${what}`, body).catch((error) => toast(error.message));
const edit = (content) => outbox.add("events", { edit: content });
const split = (by) => outbox.add("split", { part: list.first.id, by, clusters: by === "cluster" ? tool.clusters : 0 });

// Every action: key, what the button and the help say, what it does, when it can be done.
const one = () => list.selected.length === 1;
const some = () => list.selected.length > 0;
const PART = [
  ["A", "Accept", () => { edit({ kind: "accept", parts: list.selected }).then(() => list.next()); }, some],
  ["Shift+A", "Accept all", () => edit({ kind: "accept", parts: state.parts.map((part) => part.id) }), () => state.parts.length > 0],
  ["R", "Rename", () => rename(list.first), one],
  ["M", "Merge", () => edit({ kind: "merge", parts: list.selected, into: list.selected[0] }), () => list.selected.length > 1],
  ["S", "Split pieces", () => split("component"), one],
  ["K", "Split clusters", () => split("cluster"), one],
  ["X", "Delete", () => list.selected.forEach((part) => edit({ kind: "delete", part })), some],
  ["N", "New part", () => addPart(), () => true],
  ["Ctrl+Z", "Undo", () => edit({ kind: "undo" }), () => state.can_undo],
  ["Ctrl+Shift+Z", "Redo", () => edit({ kind: "redo" }), () => state.can_redo],
];
const TOOLS = [
  ["O", "Orbit", () => setTool({ tool: "orbit", erase: false })],
  ["B", "Brush", () => setTool({ tool: "brush", erase: false })],
  ["C", "Piece", () => setTool({ tool: "component", erase: false })],
  ["G", "Cluster", () => setTool({ tool: "cluster", erase: false })],
  ["E", "Erase", () => setTool({ tool: tool.tool === "orbit" ? "brush" : tool.tool, erase: !tool.erase })],
  ["T", "Texture", () => setMode(mode === "parts" ? "texture" : "parts")],
  ["I", "Isolate", () => isolate(isolated === null ? (list.selected[0] ?? null) : null)],
];
const FINISH = [
  ["Ctrl+Enter", "Hand in", () => finish("done", ""), () => true],
  ["J", "Reject…", () => askText("Reject this object", "Why can it not be used?", "").then((note) => finish("rejected", note)), () => true],
  ["Q", "Skip", () => call("POST", `tasks/${state.task}/release`).then(next, fail), () => true],
  ["H", "History", () => showHistory(state.task, (seq) => edit({ kind: "restore", seq })).catch(fail), () => true],
  ["P", "Second opinion", () => call("POST", `tasks/${state.task}/ask`, { opinions: 2 }).then(() => toast("Another annotator will look at it, too."), fail), () => true],
  ["?", "Keys", () => showHelp(HELP), () => true],
];
const HELP = [
  ...[...PART, ...TOOLS, ...FINISH].map(([key, what]) => [key, what]),
  ["↑ ↓", "Select a part (Shift: several)"], ["Space", "Next part to check"], ["[ ]", "Brush smaller, larger"],
  ["Y", "Category"], ["W", "Who has done what"], ["Esc", "Select nothing, orbit"],
];
const MORE = [
  ["ArrowDown", "", () => list.move(1)], ["ArrowUp", "", () => list.move(-1)],
  ["Shift+ArrowDown", "", () => list.move(1, true)], ["Shift+ArrowUp", "", () => list.move(-1, true)],
  ["Space", "", () => list.next()], ["[", "", () => setTool({ radius: Math.max(0.01, tool.radius / 1.3) })],
  ["]", "", () => setTool({ radius: Math.min(0.4, tool.radius * 1.3) })], ["Y", "", () => category()], ["W", "", () => showProgress().catch(fail)],
  ["Escape", "", () => (list.choose(-1), setTool({ tool: "orbit", erase: false }))],
];

function press(event) {
  active = true;
  const target = event.target;
  if ($("dialog").open || target?.closest?.("input[type=text], textarea, select")) return;
  const name = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const shift = event.shiftKey && (name.length > 1 || /[A-Z]/.test(name)) ? "Shift+" : "";
  const key = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift}${name}`;
  const found = [...PART, ...TOOLS, ...FINISH, ...MORE].find(([known]) => known === key);
  if (!found || (!state && !["W", "?"].includes(key))) return;
  event.preventDefault();
  if (!found[3] || found[3]()) found[2]();
}

function button([key, text, action, can]) {
  const made = element("button", { type: "button", textContent: text, onclick: () => (action(), made.blur()) }, element("kbd", { textContent: key.replace("Shift+", "⇧") }));
  made.can = can;
  return made;
}

function build() {
  $("actions").replaceChildren(...PART.map(button));
  $("finish").replaceChildren(...FINISH.map(button));
  $("finish").firstChild.classList.add("primary");
  const size = element("input", { type: "range", min: 0.01, max: 0.4, step: 0.01, id: "radius", oninput: () => setTool({ radius: Number(size.value) }) });
  const clusters = element("select", { id: "clusters", onchange: () => setTool({ clusters: Number(clusters.value) }) },
    ...[4, 8, 16, 32].map((count) => element("option", { value: count, textContent: `${count} clusters` })));
  $("tools").replaceChildren(...TOOLS.map(button), element("label", { textContent: "Size" }, size), clusters);
  $("category").onclick = category;
  $("queue-text").onclick = () => showProgress().catch(fail);
  $("out").onclick = () => call("POST", "../logout").then(() => location.assign("/login"), fail);
  document.addEventListener("keydown", press);
  document.addEventListener("pointerdown", () => (active = true));
  $("view").addEventListener("load", () => {
    const inner = $("view").contentWindow;
    inner.addEventListener("keydown", press, true);
    inner.addEventListener("pointerdown", () => (active = true), true);
  });
}

function enable() {
  for (const made of document.querySelectorAll("#actions button, #finish button")) made.disabled = !state || !made.can();
  const names = { orbit: 0, brush: 1, component: 2, cluster: 3 };
  [...$("tools").querySelectorAll("button")].forEach((made, index) => {
    const on = [index === names[tool.tool], tool.erase, mode === "texture", isolated !== null][index < 4 ? 0 : index - 3];
    made.setAttribute("aria-pressed", Boolean(on));
  });
  $("radius").value = tool.radius;
  $("clusters").value = tool.clusters;
}

function show(next) {
  state = next;
  $("object").textContent = state.title || state.object_id;
  $("object").title = state.object_id;
  $("category").textContent = state.category || "no category";
  list.show(state.parts);
  const open = state.parts.filter((part) => !part.accepted).length;
  $("rest").textContent = `${open ? `${open} to check · ` : ""}${state.unlabeled ? `${state.unlabeled} of ${state.faces} faces without a part` : "every face has a part"}`;
  [...$("phases").children].forEach((step, index) => step.toggleAttribute("aria-current", index === (open ? 0 : 1)));
  enable();
}

function setTool(changes) {
  tool = { ...tool, ...changes };
  const painting = tool.tool !== "orbit";
  if (painting && mode === "texture") setMode("parts");
  if (painting && changes.tool && !tool.erase && !list.selected.length) toast("Select the part to paint first, or erase.");
  const part = tool.erase ? -1 : list.selected[0] ?? -1;
  const effective = painting && !tool.erase && part === -1 ? "orbit" : tool.tool;
  view("tool", { name: effective, part, radius: tool.radius, clusters: tool.clusters });
  enable();
}

function setMode(chosen) {
  mode = chosen;
  view("mode", { mode });
  enable();
}

function isolate(part) {
  isolated = part;
  view("isolate", { part });
  enable();
}

async function rename(part) {
  const { name, description } = await askName(`Rename “${part.name}”`, state.category, part.name);
  edit({ kind: "rename", part: part.id, name, description });
}

async function addPart() {
  const { name, description } = await askName("A new part", state.category, "");
  await edit({ kind: "add", name, description });
  const made = state.parts.reduce((latest, part) => (part.id > latest.id ? part : latest));
  list.choose(made.id);
  setTool({ tool: "brush", erase: false });
}

async function category() {
  const text = await askText("Category", "What is this object? One or two words.", state.category);
  if (text !== state.category) edit({ kind: "category", category: text });
}

async function finish(verdict, note, second = false) {
  await outbox.flush();
  if (outbox.waiting.length && !second) return toast("Edits are still on their way; hand in when they are saved.");
  await call("POST", `tasks/${state.task}/submit`, { verdict, note, second_opinion: second }).then(next, fail);
}

function fail(error) {
  if (error instanceof Failure && error.status === 410) {
    outbox.closed = true;
    leaseLost(error.message, () => finish("done", "", true), next);
  } else {
    toast(error.message);
  }
}

const told = {
  saving: (count, offline) => {
    $("saved").textContent = offline ? `offline: ${count} ${count === 1 ? "edit" : "edits"} kept` : "saving…";
    $("saved").className = offline ? "off" : "";
  },
  saved: () => {
    $("saved").textContent = "saved";
    $("saved").className = "";
  },
  state: show,
  refused: (error) => {
    fail(error);
    refresh();
  },
};

async function refresh() {
  const task = state.task;
  const latest = await call("GET", `tasks/${task}`).catch(() => null);
  if (!latest || state.task !== task || outbox.waiting.length) return;
  outbox.seq = latest.seq;
  show(latest);
}

async function progress() {
  const known = await call("GET", "progress").catch(() => null);
  if (!known) return;
  const ready = known.done + known.rejected;
  $("queue").firstChild.style.setProperty("width", `${(100 * ready) / Math.max(1, known.objects)}%`);
  $("queue-text").textContent = `${ready} of ${known.objects} objects done${known.rejected ? `, ${known.rejected} rejected` : ""}`;
}

async function next() {
  if (outbox) outbox.closed = true;
  changes?.close();
  progress();
  const found = await call("POST", "next", {}).catch((error) => (toast(error.message), setTimeout(next, 4000), undefined));
  if (found === undefined) return;
  $("empty").hidden = found !== null;
  if (found === null) {
    state = null;
    $("empty").textContent = "Nothing is left to review. Thank you!";
    for (const id of ["object", "category", "rest", "time"]) $(id).textContent = "";
    list.show([]);
    return enable();
  }
  list.selected = [];
  [tool.tool, tool.erase, isolated] = ["orbit", false, null];
  outbox = new Outbox(found.task, found.seq, told);
  show(found);
  list.next();
  told.saved();
  outbox.flush();
  await view("show", { task: found.task });
  setMode("parts");
  setTool({});
  isolate(null);
  view("select", { parts: list.selected });
  if (!$("view").src) $("view").src = "/view/";
  follow(found.task);
}

function follow(task) {
  changes = new EventSource(`/api/tasks/${task}/live`);
  changes.onmessage = (event) => {
    const { seq, status } = JSON.parse(event.data);
    if (!state || state.task !== task) return;
    if (status === "lost") fail(new Failure(410, { detail: "Your lease was over and another annotator took it. Your edits are kept." }));
    else if (seq !== state.seq && !outbox.sending) refresh();
  };
}

function clock() {
  const own = outbox;
  if (!state || own.closed) return;
  call("POST", `tasks/${state.task}/beat`, { active: active && !document.hidden }).catch((error) => own.closed || fail(error));
  active = false;
}

build();
enable();
call("GET", "me").then((me) => ($("who").textContent = me.name), () => {});
await next();
const picks = new EventSource("/api/view/live");
picks.onmessage = (event) => {
  const { picked, error } = JSON.parse(event.data);
  if (error) toast(error);
  else if (state) list.choose(picked);
};
setInterval(clock, BEAT);
setInterval(() => {
  if (!state) return;
  if (!document.hidden) state.seconds += 1;
  const seconds = Math.round(state.seconds);
  $("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}, 1000);
