// Starts the page's wasm. An own file because the Content-Security-Policy allows no inline script;
// Trunk.toml's pattern_script puts the names of the built files into this script's element.
const { app, wasm } = document.querySelector("script[data-app]").dataset;
try {
  const { default: init } = await import(new URL(app, document.baseURI));
  await init({ module_or_path: new URL(wasm, document.baseURI) });
} catch (error) {
  console.error(error);
  const crash = document.getElementById("crash");
  crash.textContent = `The page could not start: ${error.message ?? error}. Reload it, or use a newer browser.`;
  crash.hidden = false;
}
document.getElementById("starting")?.remove();
