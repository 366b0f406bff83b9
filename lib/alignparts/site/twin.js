"use strict";
// Draws the rows of the page's data: bodies in thousandths of a unit, an object per part and panel, one camera for all.
const data = JSON.parse(document.getElementById("data").textContent);
const [rows, legend, panels, tip] = ["rows", "legend", "panels", "tip"].map((id) => document.getElementById(id));
const TURN = Math.PI / 24;
const hidden = new Set();
let views = [];
let waiting;

const renderer = new THREE.WebGLRenderer({ alpha: true, antialias: true });
// A close-up shows what lies in its cube alone.
renderer.clippingPlanes = [0, 1, 2].flatMap((axis) => [-1, 1].map((sign) => new THREE.Plane(new THREE.Vector3().setComponent(axis, sign), 1)));
const camera = new THREE.PerspectiveCamera(40, 1, 0.1, 20);
const light = new THREE.DirectionalLight("#fff", 1.6);
light.position.set(-1, 2, 1);
camera.add(light, light.target);
const controls = new THREE.OrbitControls(camera, panels);
panels.style.touchAction = "pan-y"; // a finger that goes up or down scrolls the page
controls.enablePan = false;
controls.addEventListener("change", draw);

function decode(text, type) {
  return new type(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

const bodies = data.bodies.map((body) => {
  const [x, y, z] = ["x", "y", "z"].map((axis) => decode(body[axis], Int16Array));
  const places = new THREE.BufferAttribute(Float32Array.from({ length: 3 * x.length }, (_, at) => [x, y, z][at % 3][Math.floor(at / 3)]), 3);
  return { places, faces: body.faces && decode(body.faces, Uint16Array) };
});

function objects(panel) {
  const { places, faces } = bodies[panel.body];
  const part = decode(panel.part, Int16Array);
  return panel.looks.map((look) => {
    const corners = [];
    part.forEach((one, at) => { if (one === look.part) corners.push(...(faces ? faces.subarray(3 * at, 3 * at + 3) : [at])); });
    const geometry = new THREE.BufferGeometry().setAttribute("position", places).setIndex(corners);
    const object = faces
      ? new THREE.Mesh(geometry, new THREE.MeshLambertMaterial({ color: look.color, flatShading: true, side: THREE.DoubleSide }))
      : new THREE.Points(geometry, new THREE.PointsMaterial({ color: look.color, size: 0.03 }));
    object.scale.setScalar(1 / panel.reach);
    return Object.assign(object, { userData: look });
  });
}

function element(tag, text, parent) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

function button(text, parent, onClick) {
  const made = element("button", text, parent);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

function list(row) {
  legend.replaceChildren();
  for (const entry of row.legend) {
    const mark = () => made.setAttribute("aria-pressed", String(!hidden.has(entry.key)));
    const made = button("", legend, () => {
      if (!hidden.delete(entry.key)) hidden.add(entry.key);
      mark();
      draw();
    });
    element("i", "", made).style.background = entry.color;
    made.append(entry.label);
    mark();
  }
}

function show(number) {
  for (const { scene } of views) scene.traverse((object) => { object.geometry?.dispose(); object.material?.dispose(); });
  hidden.clear();
  panels.replaceChildren();
  [...rows.children].forEach((one, index) => one.setAttribute("aria-current", String(index === number)));
  list(data.rows[number]);
  views = data.rows[number].panels.map((panel) => {
    const figure = element("figure", "", panels);
    element("small", panel.note, element("figcaption", panel.title, figure));
    const canvas = element("canvas", "", figure);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${panel.title}: ${panel.looks.map((look) => look.label).join(", ")}`);
    const scene = new THREE.Scene().add(new THREE.HemisphereLight("#fff", "#bbb", 2.2), ...objects(panel));
    return { canvas, scene };
  });
  draw();
}

// Every view is drawn by the one renderer and copied: browsers allow a page few of them.
function draw() {
  waiting ??= requestAnimationFrame(() => {
    waiting = undefined;
    for (const { canvas, scene } of views) {
      const size = Math.round(canvas.clientWidth * Math.min(devicePixelRatio, 2));
      Object.assign(canvas, { width: size, height: size });
      if (!size) continue;
      scene.traverse((object) => { object.visible = !hidden.has(object.userData.key); });
      scene.add(camera);
      renderer.setSize(size, size, false);
      renderer.render(scene, camera);
      canvas.getContext("2d").drawImage(renderer.domElement, 0, 0);
    }
    panels.dataset.drawn = views.length;
  });
}

function reset() {
  camera.position.fromArray(data.camera).multiplyScalar(2);
  controls.target.set(0, 0, 0);
  controls.update();
  draw();
}

// Returns the name of the part at a place of the window, "" where there is none.
function nameAt({ clientX, clientY, target }) {
  const view = views.find(({ canvas }) => canvas === target);
  if (!view) return "";
  const { left, top, width, height } = view.canvas.getBoundingClientRect();
  const ray = new THREE.Raycaster();
  ray.params.Points.threshold = 0.02;
  ray.setFromCamera(new THREE.Vector2((2 * (clientX - left)) / width - 1, 1 - (2 * (clientY - top)) / height), camera);
  const seen = ({ object, point }) => object.visible && Math.max(...point.toArray().map(Math.abs)) <= 1;
  return ray.intersectObjects(view.scene.children).find(seen)?.object.userData.label ?? "";
}

for (const kind of ["pointermove", "pointerdown", "pointerleave"]) {
  panels.addEventListener(kind, (event) => {
    tip.textContent = event.buttons && kind === "pointermove" ? "" : nameAt(event);
    tip.style.translate = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4)}px ${event.clientY + 16}px`;
  });
}
panels.addEventListener("keydown", (event) => {
  const turns = { ArrowLeft: ["rotateLeft", TURN], ArrowRight: ["rotateLeft", -TURN], ArrowUp: ["rotateUp", TURN], ArrowDown: ["rotateUp", -TURN] };
  if (!turns[event.key]) return;
  event.preventDefault();
  const [turn, angle] = turns[event.key];
  controls[turn](angle);
});
data.rows.forEach((row, number) => button(row.title, rows, () => show(number)));
document.getElementById("reset").addEventListener("click", reset);
new ResizeObserver(draw).observe(panels);
reset();
show(0);
