"use strict";
// Meshes of the page, and a GLB of some nodes of one.

async function unpack(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// Returns a GLB of the nodes in the set alone: names, extras, vertices and images stay as they are, byte for byte.
function subset(glb, kept) {
  const length = new DataView(glb).getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(glb, 20, length)));
  const made = {};
  const chunks = [];
  let size = 0;

  // Gives an entry that is referred to its new number; `change` does the same with what it refers to.
  function take(list, number, change) {
    const { numbers, entries } = (made[list] ??= { numbers: new Map(), entries: [] });
    if (!numbers.has(number)) {
      numbers.set(number, entries.length);
      const entry = structuredClone(header[list][number]);
      entries.push(entry);
      change?.(entry);
    }
    return numbers.get(number);
  }

  function refer(entry, key, taken) {
    if (entry[key] !== undefined) entry[key] = taken(entry[key]);
  }

  const views = (number) => take("bufferViews", number, (view) => {
    const bytes = new Uint8Array(glb, 28 + length + (view.byteOffset ?? 0), view.byteLength);
    const padding = new Uint8Array(-bytes.length & 3);
    view.byteOffset = size;
    size += bytes.length + padding.length;
    chunks.push(bytes, padding);
  });
  const accessors = (number) => take("accessors", number, (accessor) => refer(accessor, "bufferView", views));
  const images = (number) => take("images", number, (image) => refer(image, "bufferView", views));
  const samplers = (number) => take("samplers", number);
  const textures = (number) => take("textures", number, (texture) => {
    refer(texture, "source", images);
    refer(texture, "sampler", samplers);
  });
  const materials = (number) => take("materials", number, (material) => {
    for (const owner of [material, material.pbrMetallicRoughness ?? {}]) {
      for (const key of Object.keys(owner).filter((name) => name.endsWith("Texture"))) refer(owner[key], "index", textures);
    }
  });
  const meshes = (number) => take("meshes", number, (mesh) => {
    for (const primitive of mesh.primitives) {
      for (const name of Object.keys(primitive.attributes)) refer(primitive.attributes, name, accessors);
      refer(primitive, "indices", accessors);
      refer(primitive, "material", materials);
    }
  });
  const some = (numbers) => numbers.filter((number) => kept.has(number)).map(nodes);
  function nodes(number) {
    return take("nodes", number, (node) => {
      refer(node, "mesh", meshes);
      refer(node, "children", some);
    });
  }

  const roots = some(header.scenes[header.scene].nodes);
  const lists = Object.fromEntries(Object.entries(made).map(([list, { entries }]) => [list, entries]));
  const { asset, extensionsUsed } = header;
  const tree = { asset, extensionsUsed, scene: 0, scenes: [{ nodes: roots }], ...lists, buffers: [{ byteLength: size }] };
  const head = new TextEncoder().encode(JSON.stringify(tree));
  const spaces = new Uint8Array(-head.length & 3).fill(0x20);
  const words = (...numbers) => new Uint32Array(numbers); // glTF is little-endian, as is every browser's machine
  const [before, whole] = [head.length + spaces.length, 28 + head.length + spaces.length + size];
  return new Blob(
    [words(0x46546c67, 2, whole, before, 0x4e4f534a), head, spaces, words(size, 0x004e4942), ...chunks],
    { type: "model/gltf-binary" },
  );
}
