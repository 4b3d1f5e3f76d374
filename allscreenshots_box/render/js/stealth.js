// Makes what automation leaves visible look as in a window that somebody sits at. Runs among the page's own scripts, as
// each document begins.
// Takes nothing. Returns nothing.
() => {
  const define = (object, name, value) => Object.defineProperty(object, name, { get: () => value, configurable: true });
  define(Navigator.prototype, "webdriver", false);
  define(Navigator.prototype, "languages", Object.freeze(["en-US", "en"]));
  if (!navigator.plugins.length) {
    const names = [
      "PDF Viewer",
      "Chrome PDF Viewer",
      "Chromium PDF Viewer",
      "Microsoft Edge PDF Viewer",
      "WebKit built-in PDF",
    ];
    const plugins = names.map(() => Object.assign(Object.create(Plugin.prototype), {}));
    plugins.forEach((plugin, number) => {
      define(plugin, "name", names[number]);
      define(plugin, "filename", "internal-pdf-viewer");
      define(plugin, "description", "Portable Document Format");
      define(plugin, "length", 0);
    });
    const list = Object.create(PluginArray.prototype);
    plugins.forEach((plugin, number) => define(list, number, plugin));
    define(list, "length", plugins.length);
    define(Navigator.prototype, "plugins", list);
    define(Navigator.prototype, "pdfViewerEnabled", true);
  }
  if (!window.chrome) window.chrome = { app: { isInstalled: false }, runtime: {}, csi() {}, loadTimes() {} };
  const query = Permissions.prototype.query;
  Permissions.prototype.query = function (wanted) {
    return wanted && wanted.name === "notifications"
      ? Promise.resolve(Object.setPrototypeOf({ state: "prompt", onchange: null }, PermissionStatus.prototype))
      : query.call(this, wanted);
  };
  define(Notification, "permission", "default");
  for (const kind of [globalThis.WebGLRenderingContext, globalThis.WebGL2RenderingContext])
    if (kind) {
      const read = kind.prototype.getParameter;
      kind.prototype.getParameter = function (name) {
        return name === 37445
          ? "Google Inc. (Intel)"
          : name === 37446
            ? "ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)"
            : read.call(this, name);
      };
    }
};
