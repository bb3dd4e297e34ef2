// What changes from step to step; everything else is fixed when the model is loaded.
struct Step {
    // tokens (or selected rows) that this dispatch works on
    count: u32,
    // 1: only tokens of the mask may be chosen
    constrained: u32,
}
@group(1) @binding(0) var<uniform> step: Step;
