// Keeps the built page on this device, so that it opens without a network. `cargo xtask` fills in the two constants.
//
// It holds one version, whole: a version is kept only if every file has the hash that was built, and takes over only
// when no page of another one is open, so that a page never sees two. It asks for these files and nothing else, at its
// own address and nowhere else. Models pass it by: the page's engine keeps them itself.

const VERSION = "";

// Subresource Integrity of every file by its name; the page itself is "./".
const FILES = {};

const CACHE = `hangtag ${registration.scope} ${VERSION}`;

const address = (name) => new URL(name, registration.scope).href;

// The browser refuses bytes of another hash, and a redirection, which might lead to another site.
const ask = (name, cache) => fetch(address(name), { integrity: FILES[name], cache, redirect: "error" });

// A copy that the browser has serves if the server says that it is still right; if that was wrong, it is fetched anew.
const fetchOwn = async (name) => {
  const response = await ask(name, "no-cache").catch(() => ask(name, "reload"));
  if (!response.ok) throw new Error(`${address(name)}: ${response.status}`);
  return response;
};

// The worker for browsers without WebGPU; others need not fetch it. If one comes to use it all the same, it is kept from then on.
const isForOthers = (name) => name.startsWith("hangtag-processor") && "gpu" in navigator;

const install = async () => {
  try {
    const cache = await caches.open(CACHE);
    const keep = async (name) => cache.put(address(name), await fetchOwn(name));
    await Promise.all(Object.keys(FILES).filter((name) => !isForOthers(name)).map(keep));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
};

const removeOthers = async () => {
  const isOther = (name) => name.startsWith(`hangtag ${registration.scope} `) && name !== CACHE;
  await Promise.all((await caches.keys()).filter(isOther).map((name) => caches.delete(name)));
};

const answer = async (name) => {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(address(name));
  if (kept) return kept;
  const response = await fetchOwn(name);
  // A full storage is no reason to do without the file now.
  if (isForOthers(name)) await cache.put(address(name), response.clone()).catch(() => {});
  return response;
};

// The built file that a request is for, if any.
const nameOf = ({ method, url }) => {
  const { origin, pathname } = new URL(url);
  const name = `${origin}${pathname}`.slice(registration.scope.length);
  const known = ["", "index.html"].includes(name) ? "./" : name;
  const isKnown = method === "GET" && url.startsWith(registration.scope) && Object.hasOwn(FILES, known);
  return isKnown ? known : undefined;
};

const isAlone = async () => {
  const open = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return open.filter(({ url }) => url.startsWith(registration.scope)).length < 2;
};

// A page that loads asks this of the version that waits; alone, it may have it. The page that it takes the place of
// may take a moment to go.
const takeOver = async (port) => {
  for (let tries = 0; tries < 20; tries += 1) {
    if (await isAlone()) {
      await skipWaiting();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  port.postMessage("refused");
};

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(removeOthers()));
addEventListener("message", (event) => event.waitUntil(takeOver(event.ports[0])));
addEventListener("fetch", (event) => {
  const name = nameOf(event.request);
  if (name !== undefined) event.respondWith(answer(name));
});
