// The bench of the wasm build on Dawn, Chrome's WebGPU, and its ratio to the native one. README.md says how to run it.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const options = {
    module: { type: 'string', default: new URL('../../target/dawn/hangtag-dawn.js', import.meta.url).pathname },
    model: { type: 'string' },
    shape: { type: 'string' },
    features: { type: 'string', default: '50' },
    'text-tokens': { type: 'string', default: '300' },
    repeat: { type: 'string', default: '3' },
    backend: { type: 'string' },
    toggles: { type: 'string' },
    out: { type: 'string' },
    native: { type: 'string' },
};

/** Puts Dawn where wgpu looks for a browser's WebGPU: into a worker's global scope. */
async function becomeWorker({ backend, toggles }) {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    const flags = [];
    if (backend) flags.push(`backend=${backend}`);
    if (toggles) flags.push(`enable-dawn-features=${toggles}`);
    const dawn = create(flags);
    const gpu = {
        requestAdapter: options => dawn.requestAdapter(options),
        // Dawn's own has no iterator of `values()`, as a browser's has.
        wgslLanguageFeatures: new Set(dawn.wgslLanguageFeatures),
    };
    const navigator = { gpu };
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
    globalThis.WorkerGlobalScope = class WorkerGlobalScope {};
}

/** Tells on standard error what is measured: in one line of a terminal, in a line for each thing elsewhere. */
function teller() {
    let [shown, last] = ['', ''];
    return (what, done, total) => {
        const line = `[${done}/${total}] ${what}`;
        if (process.stderr.isTTY && line !== shown) process.stderr.write(`\r\x1b[K${line}`);
        if (!process.stderr.isTTY && what !== last) console.error(line);
        [shown, last] = [line, what];
    };
}

/** Lines that compare two reports of the same model: name, native milliseconds, ours, ours over the native ones. */
function ratios(native, own) {
    const pairs = [['read a text', native.prefill.seconds, own.prefill.seconds]];
    const both = (name, ofNative, ofOwn, key, seconds) => {
        for (const one of ofNative) {
            const other = ofOwn.find(other => key(other) === key(one));
            if (other) pairs.push([name(one), one[seconds], other[seconds]]);
        }
    };
    both(one => `step of ${one.rows}`, native.decode, own.decode, one => one.rows, 'step_seconds');
    both(one => one.name, native.features.ladder, own.features.ladder, one => one.name, 'seconds');
    for (const way of ['one_by_one', 'together']) {
        const key = `seconds_${way}`;
        pairs.push([`list, ${way.replaceAll('_', ' ')}`, native.catalogue[key], own.catalogue[key]]);
    }
    const kernel = one => `${one.name} ${one.rows} x ${one.columns}, ${one.tokens}`;
    both(kernel, native.kernels, own.kernels, kernel, 'seconds');
    const ms = seconds => (1e3 * seconds).toFixed(3).padStart(10);
    const line = ([name, a, b]) => `${name.padEnd(36)}${ms(a)}${ms(b)}  ${(b / a).toFixed(2)}`;
    return ['                                      native ms   Dawn ms  Dawn over native', ...pairs.map(line)].join('\n');
}

async function main() {
    const { values } = parseArgs({ options });
    const { model, shape } = values;
    if (!model === !shape) throw new Error('give --model FILE.gguf or --shape NAME');
    await becomeWorker(values);
    const { bench } = createRequire(import.meta.url)(resolve(values.module));
    const gguf = model ? new Uint8Array(readFileSync(model)) : undefined;
    const settings = {
        features: Number(values.features),
        text_tokens: Number(values['text-tokens']),
        repeats: Number(values.repeat),
    };
    const report = await bench(model ?? shape, gguf, JSON.stringify(settings), teller());
    process.stderr.write('\n');
    if (values.out) writeFileSync(values.out, `${report}\n`);
    else console.log(report);
    if (values.native) {
        console.error(ratios(JSON.parse(readFileSync(values.native)), JSON.parse(report)));
    }
}

// Dawn would keep Node.js alive.
main().then(
    () => process.exit(0),
    error => {
        console.error(error);
        process.exit(1);
    },
);
