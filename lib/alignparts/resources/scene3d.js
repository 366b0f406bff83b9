"use strict";
// Draws the rows of the page's data: bodies in thousandths of a unit, one trace a part and panel.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const hidden = new Set();
let views = [];
let leader = null;
let wanted = null;

function decode(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

// The model frame's y points up, plotly's z: its turntable needs no other axis. Hence z, x, y throughout.
const bodies = data.bodies.map((body) => ({
  ...body,
  xyz: ["z", "x", "y"].map((axis) => decode(body[axis], Int16Array)),
  faces: body.faces && decode(body.faces, Uint16Array),
}));

const pick = (values, chosen) => Array.from(chosen, (index) => values[index]);

// Plotly reads tags and entities in hover texts: names are shown as they are.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function traces(panel) {
  const body = bodies[panel.body];
  const part = decode(panel.part, Int16Array);
  return panel.looks.map((look) => {
    const chosen = [];
    part.forEach((one, index) => { if (one === look.part) chosen.push(index); });
    const common = { name: look.key, hoverinfo: "text", visible: !hidden.has(look.key), showlegend: false };
    if (!body.faces) {
      const [x, y, z] = body.xyz.map((values) => pick(values, chosen));
      return {
        ...common, type: "scatter3d", mode: "markers", x, y, z,
        hovertext: plain(look.label), marker: { size: 3, color: look.color, line: { width: 0 } },
      };
    }
    const [i, j, k] = [0, 1, 2].map((corner) => chosen.map((face) => body.faces[3 * face + corner]));
    const [x, y, z] = body.xyz;
    return {
      ...common, type: "mesh3d", x, y, z, i, j, k, color: look.color, flatshading: true,
      hovertext: plain(look.label), text: plain(look.label),
      lighting: { ambient: 0.72, diffuse: 0.45, specular: 0.05, roughness: 0.9, facenormalsepsilon: 0, vertexnormalsepsilon: 0 },
      lightposition: { x: 1500, y: 1000, z: 3000 },
    };
  });
}

function camera() {
  const [x, y, z] = data.camera;
  return { eye: { x: z, y: x, z: y }, center: { x: 0, y: 0, z: 0 }, up: { x: 0, y: 0, z: 1 } };
}

function layout(panel) {
  const axis = { visible: false, showspikes: false, range: [-panel.reach, panel.reach], autorange: false };
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "#fff", hoverlabel: { font: { size: 13 }, namelength: 0 },
    scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "cube", dragmode: "turntable", camera: camera() },
  };
}

// One view's camera to all others, the latest once a frame; what the others say to that is not answered.
function follow(view, event) {
  const changed = event["scene.camera"];
  if (!changed || (leader && view !== leader)) return;
  wanted = changed;
  if (leader) return;
  leader = view;
  requestAnimationFrame(pass);
}

async function pass() {
  const [changed, others] = [wanted, views.filter((view) => view !== leader)];
  await Promise.all(others.map((view) => Plotly.relayout(view, { "scene.camera": changed })));
  if (wanted !== changed) {
    requestAnimationFrame(pass);
  } else {
    leader = null;
  }
}

function element(tag, text, parent) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

function legend(row) {
  byId("legend").replaceChildren();
  for (const entry of row.legend) {
    const button = element("button", "", byId("legend"));
    button.type = "button";
    element("i", "", button).style.background = entry.color;
    button.append(entry.label);
    const mark = () => button.setAttribute("aria-pressed", String(!hidden.has(entry.key)));
    mark();
    button.addEventListener("click", () => {
      if (!hidden.delete(entry.key)) hidden.add(entry.key);
      mark();
      row.panels.forEach((panel, number) => panel.looks.forEach((look, index) => {
        if (look.key === entry.key) Plotly.restyle(views[number], { visible: !hidden.has(entry.key) }, [index]);
      }));
    });
  }
}

function show(number) {
  const row = data.rows[number];
  hidden.clear();
  views.forEach((view) => Plotly.purge(view));
  leader = null;
  byId("panels").replaceChildren();
  [...byId("rows").children].forEach((button, index) => button.setAttribute("aria-current", String(index === number)));
  legend(row);
  // All places first: a view takes the size that its place has when it is drawn.
  views = row.panels.map((panel, index) => {
    const figure = element("figure", "", byId("panels"));
    element("small", panel.note, element("figcaption", panel.title, figure));
    const view = element("div", "", figure);
    view.className = "view";
    view.id = `view-${index}`;
    return view;
  });
  const config = { displayModeBar: false, responsive: true, scrollZoom: true };
  views.forEach((view, index) => {
    const panel = row.panels[index];
    Plotly.newPlot(view, traces(panel), layout(panel), config).then(() => {
      view.on("plotly_relayouting", (event) => follow(view, event));
      view.on("plotly_relayout", (event) => follow(view, event));
    });
  });
}

data.rows.forEach((row, number) => {
  const button = element("button", row.title, byId("rows"));
  button.type = "button";
  button.addEventListener("click", () => show(number));
});
byId("reset").addEventListener("click", () => views.forEach((view) => Plotly.relayout(view, { "scene.camera": camera() })));
show(0);
