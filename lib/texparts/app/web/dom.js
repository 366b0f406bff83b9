// Small helpers to build the page; whatever comes from people or files goes in as text.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const { role, dataset, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  if (role) made.setAttribute("role", role);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

export function toast(text) {
  const shown = element("p", { textContent: text });
  $("toasts").append(shown);
  setTimeout(() => shown.remove(), 7000);
}

// Opens the dialog with a title and content; resolves when it is closed.
export function open(title, ...content) {
  const dialog = $("dialog");
  dialog.replaceChildren(element("h2", { textContent: title }), ...content);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  return dialog;
}

// Enter answers; Shift+Enter begins a line.
export const onEnter = (action) => (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  event.preventDefault();
  action();
};

export const close = () => $("dialog").close();

export function buttons(...specified) {
  return element(
    "div",
    { className: "buttons" },
    ...specified.map(([text, action, primary]) =>
      element("button", { type: "button", textContent: text, className: primary ? "primary" : "", onclick: action })),
  );
}
