// Starts the page's wasm. An own file because the Content-Security-Policy allows no inline script;
// Trunk.toml's pattern_script puts the names of the built files into this script's element.
const { app, wasm, integrity } = document.querySelector("script[data-app]").dataset;

// How long a new version may think about taking over before the old one starts after all.
const PATIENCE_MS = 10_000;

// Whether a new version of the page, kept by its service worker, takes over: then this one is loaded again.
const newVersionTakesOver = async () => {
  const container = navigator.serviceWorker;
  if (!container?.controller) return false;
  const taken = new Promise((resolve) => container.addEventListener("controllerchange", () => resolve(true)));
  // Also later: a page never goes on with the files of another version.
  taken.then(() => location.reload());
  const { waiting } = (await container.getRegistration()) ?? {};
  if (!waiting) return false;
  const { port1, port2 } = new MessageChannel();
  const refused = new Promise((resolve) => {
    port1.onmessage = () => resolve(false);
    setTimeout(resolve, PATIENCE_MS, false);
  });
  waiting.postMessage("take over", [port2]);
  const isTaken = await Promise.race([taken, refused]);
  // For the page's word about it.
  if (!isTaken) document.documentElement.dataset.newVersion = "refused";
  return isTaken;
};

const start = async () => {
  const bytes = fetch(new URL(wasm, document.baseURI), { integrity });
  if (await newVersionTakesOver()) return;
  const { default: init } = await import(new URL(app, document.baseURI));
  await init({ module_or_path: bytes });
  document.getElementById("starting")?.remove();
};

try {
  await start();
} catch (error) {
  console.error(error);
  document.getElementById("starting")?.remove();
  const crash = document.getElementById("crash");
  const isDutch = navigator.language.startsWith("nl");
  const [before, after] = isDutch
    ? ["De pagina kon niet starten", "Vernieuw de pagina of gebruik een nieuwere browser."]
    : ["The page could not start", "Reload it, or use a newer browser."];
  crash.lang = isDutch ? "nl" : "en";
  crash.textContent = `${before}: ${error.message ?? error}. ${after}`;
  crash.hidden = false;
}
