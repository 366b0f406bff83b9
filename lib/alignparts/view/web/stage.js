"use strict";
// An object drawn twice with one camera, as it came and in the colors of its parts: on one canvas, below two panes.

const FIELD = 40; // degrees, vertical
const TOWARD = new THREE.Vector3(0.47, 0.33, 0.82); // from the object to the eye at first; the front faces +z
const STILL = 5; // pixels that a click may move

class Stage {
  // onPoint(row, event) says which row the pointer is over, onPick(row) which was clicked; -1 none.
  constructor(element, onPoint, onPick) {
    this.element = element;
    this.panes = [...element.querySelectorAll(".pane")];
    this.renderer = new THREE.WebGLRenderer({ canvas: element.querySelector("canvas"), alpha: true, antialias: true });
    this.renderer.setScissorTest(true);
    this.camera = new THREE.PerspectiveCamera(FIELD);
    this.controls = new THREE.OrbitControls(this.camera, element);
    this.controls.addEventListener("change", () => this.draw());
    const light = new THREE.PMREMGenerator(this.renderer).fromScene(new THREE.RoomEnvironment(), 0.04, 0.1, 100, { size: 64 }).texture;
    this.scenes = this.panes.map(() => Object.assign(new THREE.Scene(), { environment: light, environmentIntensity: 0.6 }));
    this.leaves = new Map();
    this.sphere = new THREE.Sphere();
    this.share = 0;
    new ResizeObserver(() => this.resize()).observe(element);
    this.listen(onPoint, onPick);
  }

  // Shows a GLB; `leaves` are [row, node number, color] of its nodes with a mesh.
  async show(glb, leaves) {
    const gltf = await new THREE.GLTFLoader().parseAsync(glb, "");
    this.clear();
    const objects = new Map();
    gltf.scene.updateMatrixWorld(true);
    gltf.scene.traverse((object) => {
      const number = gltf.parser.associations.get(object)?.nodes;
      if (number !== undefined && !objects.has(number)) objects.set(number, object);
    });
    const whole = new THREE.Box3().setFromObject(gltf.scene);
    whole.getBoundingSphere(this.sphere);
    for (const [row, number, color] of leaves) {
      const input = objects.get(number);
      const twin = input.clone();
      input.matrixWorld.decompose(twin.position, twin.quaternion, twin.scale);
      twin.traverse((mesh) => {
        if (!mesh.isMesh) return;
        const flatShading = !mesh.geometry.attributes.normal;
        mesh.material = new THREE.MeshStandardMaterial({ color, flatShading, roughness: 0.9, side: THREE.DoubleSide });
      });
      const away = new THREE.Box3().setFromObject(input).getCenter(new THREE.Vector3()).sub(this.sphere.center);
      this.leaves.set(row, { input, twin, away, home: twin.position.clone(), color: new THREE.Color(color) });
      this.scenes[1].add(twin);
    }
    this.scenes[0].add(gltf.scene);
    this.share = 0;
    this.reset();
    await new Promise(requestAnimationFrame); // it is drawn then, and the camera as it is pointed at
  }

  clear() {
    for (const scene of this.scenes) {
      scene.traverse(({ geometry, material }) => {
        geometry?.dispose();
        for (const value of Object.values(material ?? {})) if (value?.isTexture) value.dispose();
        material?.dispose();
      });
      scene.clear();
    }
    this.leaves.clear();
  }

  reset() {
    const { clientWidth: width, clientHeight: height } = this.shown()[0] ?? this.element;
    const half = Math.min(1, width / height) * Math.tan((FIELD * Math.PI) / 360);
    const distance = (0.95 * (1 + this.share) * this.sphere.radius) / Math.sin(Math.atan(half));
    this.controls.target.copy(this.sphere.center);
    this.camera.position.copy(TOWARD).setLength(distance).add(this.sphere.center);
    this.camera.near = this.sphere.radius / 100;
    this.camera.far = this.sphere.radius * 100;
    this.controls.update();
    this.draw();
  }

  // Moves every part away from the center by a share of its distance, and the eye with them.
  explode(share) {
    for (const { twin, home, away } of this.leaves.values()) twin.position.copy(home).addScaledVector(away, share);
    this.camera.position.sub(this.controls.target).multiplyScalar((1 + share) / (1 + this.share)).add(this.controls.target);
    this.share = share;
    this.controls.update();
    this.draw();
  }

  // Shows these rows alone in the colors of the parts; all where there are none.
  isolate(rows) {
    for (const [row, { twin }] of this.leaves) twin.visible = !rows || rows.has(row);
    this.draw();
  }

  // Fades all but these rows; none where there are none.
  highlight(rows) {
    const faded = new THREE.Color(getComputedStyle(this.element).getPropertyValue("--faded"));
    for (const [row, { twin, color }] of this.leaves) {
      const fade = rows && !rows.has(row);
      twin.traverse(({ material }) => { material?.color.copy(color).lerp(faded, fade ? 0.75 : 0); });
    }
    this.draw();
  }

  shown() {
    return this.panes.filter((pane) => pane.clientWidth > 0);
  }

  // Returns where a pane lies on the canvas: left, bottom, width, height, in CSS pixels.
  place(pane) {
    const [outer, inner] = [this.element.getBoundingClientRect(), pane.getBoundingClientRect()];
    return [inner.left - outer.left, outer.bottom - inner.bottom, inner.width, inner.height];
  }

  resize() {
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(this.element.clientWidth, this.element.clientHeight, false);
    this.draw();
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.renderer.setScissor(0, 0, this.element.clientWidth, this.element.clientHeight);
      this.renderer.clear();
      for (const pane of this.shown()) {
        const place = this.place(pane);
        this.renderer.setViewport(...place);
        this.renderer.setScissor(...place);
        this.camera.aspect = place[2] / place[3];
        this.camera.updateProjectionMatrix();
        this.renderer.render(this.scenes[this.panes.indexOf(pane)], this.camera);
      }
    });
  }

  // Returns the row at a place of the window, -1 where there is none.
  rowAt(x, y) {
    for (const pane of this.shown()) {
      const { left, top, width, height } = pane.getBoundingClientRect();
      const at = new THREE.Vector2((2 * (x - left)) / width - 1, 1 - (2 * (y - top)) / height);
      if (Math.max(Math.abs(at.x), Math.abs(at.y)) > 1) continue;
      const ray = new THREE.Raycaster();
      ray.setFromCamera(at, this.camera);
      const key = this.panes.indexOf(pane) ? "twin" : "input";
      const hits = [...this.leaves]
        .filter(([, leaf]) => leaf[key].visible)
        .map(([row, leaf]) => [ray.intersectObject(leaf[key])[0]?.distance ?? Infinity, row]);
      const [distance, row] = hits.reduce((best, hit) => (hit[0] < best[0] ? hit : best), [Infinity, -1]);
      return distance < Infinity ? row : -1;
    }
    return -1;
  }

  listen(onPoint, onPick) {
    let [down, moved] = [null, null];
    const look = () => {
      if (moved) onPoint(this.rowAt(moved.clientX, moved.clientY), moved);
      moved = null;
    };
    this.element.addEventListener("pointermove", (event) => {
      if (event.buttons) return;
      if (!moved) requestAnimationFrame(look);
      moved = event;
    });
    this.element.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "touch") return; // a lifted finger: what it tapped stays named
      moved = null;
      onPoint(-1, event);
    });
    this.element.addEventListener("pointerdown", (event) => { down = event.isPrimary ? event : null; });
    this.element.addEventListener("pointerup", (event) => {
      if (!down || event.button || Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > STILL) return;
      const row = this.rowAt(event.clientX, event.clientY);
      onPoint(row, event);
      onPick(row);
    });
    const turn = Math.PI / 24;
    const keys = {
      ArrowLeft: () => this.controls.rotateLeft(turn), ArrowRight: () => this.controls.rotateLeft(-turn),
      ArrowUp: () => this.controls.rotateUp(turn), ArrowDown: () => this.controls.rotateUp(-turn),
      "+": () => this.controls.dollyIn(0.9), "-": () => this.controls.dollyOut(0.9), 0: () => this.reset(),
    };
    this.element.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
}
