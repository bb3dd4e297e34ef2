// Starts the wasm of the one-file page and of its workers, which `cargo xtask bundle` puts behind the code of wasm-bindgen: an address to
// fetch it from there is none.
const unpacked = async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
};
try {
  await __wbg_init({ module_or_path: await unpacked("PACKED") });
} catch (error) {
  const crash = globalThis.document?.getElementById("crash");
  // Thrown outside of the module, so that it arrives as the worker's error event.
  if (!crash) setTimeout(() => { throw error; });
  else {
    console.error(error);
    const isDutch = navigator.language.startsWith("nl");
    const [before, after] = isDutch
      ? ["De pagina kon niet starten", "Gebruik een nieuwere browser."]
      : ["The page could not start", "Use a newer browser."];
    crash.lang = isDutch ? "nl" : "en";
    crash.textContent = `${before}: ${error.message ?? error}. ${after}`;
    crash.hidden = false;
  }
}
globalThis.document?.getElementById("starting")?.remove();
