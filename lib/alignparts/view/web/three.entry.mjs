// What the pages of `alignparts view` and the site take of three.js; `make three` makes three.min.js of it.
export {
  Box3, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, HemisphereLight, Mesh, MeshLambertMaterial,
  MeshStandardMaterial, PerspectiveCamera, Plane, PMREMGenerator, Points, PointsMaterial, Raycaster, Scene, Sphere, Vector2,
  Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
