// Reductions over one workgroup of WORKGROUP threads, through workgroup memory.
const WORKGROUP: u32 = 64u;
var<workgroup> reduction: array<f32, WORKGROUP>;

fn workgroup_sum(thread: u32, value: f32) -> f32 {
    workgroupBarrier();
    reduction[thread] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            reduction[thread] += reduction[thread + half];
        }
        workgroupBarrier();
    }
    return reduction[0];
}
