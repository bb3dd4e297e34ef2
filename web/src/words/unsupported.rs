//! Words of the page of a browser that cannot run the model.

part! {
    /// The page of a browser that cannot run the model. Backticks are around code, `**` around what a setting is called.
    Unsupported {
        insecure,
        insecure_reason,
        missing,
        missing_reason,
        no_adapter,
        no_adapter_reason,
        browser_said,
        what_to_do,
        chromium,
        chromium_versions,
        chromium_acceleration,
        chromium_linux,
        chromium_gpu,
        safari,
        safari_versions,
        safari_older,
        firefox_versions,
        firefox_elsewhere,
    }
}

pub const ENGLISH: Unsupported = Unsupported {
    insecure: "This address is not secure enough for WebGPU",
    insecure_reason: "Browsers offer WebGPU only over https, or at localhost and 127.0.0.1. Open the page at such an address.",
    missing: "This browser does not offer WebGPU",
    missing_reason: "Hangtag runs its language model on your own GPU, and WebGPU is the browser's way to it. Without it there is nothing that could read your text: it is never sent to a server instead.",
    no_adapter: "WebGPU is here, but no GPU could be used",
    no_adapter_reason: "Often hardware acceleration is switched off, or the driver is on the browser's block list.",
    browser_said: "What the browser said",
    what_to_do: "What to do",
    chromium: "Chrome, Edge, Brave and other Chromium browsers",
    chromium_versions: "Windows, macOS, ChromeOS: version 113 or newer has WebGPU. Android: version 121 or newer, on Android 12 or newer.",
    chromium_acceleration: "In Settings, System, switch on **Use graphics acceleration when available** and restart.",
    chromium_linux: "Linux: open `chrome://flags` and enable **Unsafe WebGPU Support** and **Vulkan**; or start with `--enable-unsafe-webgpu --enable-features=Vulkan`.",
    chromium_gpu: "`chrome://gpu` shows what the browser thinks of your GPU.",
    safari: "Safari, and all browsers on iPhone and iPad",
    safari_versions: "Safari 26 on macOS 26, iOS 26 and iPadOS 26, or newer, has WebGPU.",
    safari_older: "Older ones: Settings, Apps, Safari, Advanced, Feature Flags, **WebGPU**; on a Mac in the Develop menu.",
    firefox_versions: "Windows: version 141 or newer. Mac with Apple silicon: version 145 or newer, on macOS 26.",
    firefox_elsewhere: "Elsewhere: in `about:config` set `dom.webgpu.enabled` to true, and `gfx.webgpu.ignore-blocklist` if that is not enough.",
};

pub const DUTCH: Unsupported = Unsupported {
    insecure: "Dit adres is niet veilig genoeg voor WebGPU",
    insecure_reason: "Browsers bieden WebGPU alleen via https aan, of op localhost en 127.0.0.1. Open de pagina op zo'n adres.",
    missing: "Deze browser heeft geen WebGPU",
    missing_reason: "Hangtag laat zijn taalmodel op je eigen grafische kaart draaien, en WebGPU is de weg daarheen. Zonder WebGPU is er niets dat je tekst kan lezen: hij wordt nooit in plaats daarvan naar een server gestuurd.",
    no_adapter: "WebGPU is er, maar er is geen bruikbare grafische kaart",
    no_adapter_reason: "Vaak staat hardwareversnelling uit, of weigert de browser het stuurprogramma.",
    browser_said: "Wat de browser zei",
    what_to_do: "Wat je kunt doen",
    chromium: "Chrome, Edge, Brave en andere Chromium-browsers",
    chromium_versions: "Windows, macOS, ChromeOS: vanaf versie 113 is er WebGPU. Android: vanaf versie 121, op Android 12 of nieuwer.",
    chromium_acceleration: "Zet bij Instellingen, Systeem de grafische versnelling aan (**Use graphics acceleration when available**) en start de browser opnieuw.",
    chromium_linux: "Linux: open `chrome://flags` en zet **Unsafe WebGPU Support** en **Vulkan** aan; of start met `--enable-unsafe-webgpu --enable-features=Vulkan`.",
    chromium_gpu: "`chrome://gpu` toont wat de browser van je grafische kaart vindt.",
    safari: "Safari, en alle browsers op iPhone en iPad",
    safari_versions: "Safari 26 op macOS 26, iOS 26 en iPadOS 26, of nieuwer, heeft WebGPU.",
    safari_older: "Oudere versies: Instellingen, Apps, Safari, Geavanceerd, Feature Flags, **WebGPU**; op een Mac in het menu Ontwikkel.",
    firefox_versions: "Windows: vanaf versie 141. Mac met Apple-chip: vanaf versie 145, op macOS 26.",
    firefox_elsewhere: "Elders: zet in `about:config` de instelling `dom.webgpu.enabled` op true, en ook `gfx.webgpu.ignore-blocklist` als dat niet genoeg is.",
};
