"""Communication is read from the text of a program, in every way that XLA writes it."""

import pytest

from adl.run.collective import Collective, collectives

TEXT = """\
HloModule jit_step, is_scheduled=true

%all-reduce-scatter.3 (param: f32[8,128]) -> f32[1,128] {
  %all-reduce.9 = f32[8,128]{1,0} all-reduce(%param), replica_groups={{0,1,2,3,4,5,6,7}}, to_apply=%add
}

ENTRY %main (p0: f32[10], p1: bf16[4]) -> f32[10] {
  %all-reduce.1 = (f32[10]{0:T(128)S(1)}, /*index=1*/bf16[4]{0}, f32[]{:T(128)}) all-reduce(%p0, %p1, %s), \
replica_groups=mesh['a'=4,'b'=2] {'a'}, to_apply=%add, metadata={op_name="psum"}
  %all-reduce-start.1 = f32[100]{0} all-reduce-start(%x), replica_groups=[2,4]<=[8], to_apply=%add
  %all-reduce-done.1 = f32[100]{0} all-reduce-done(%all-reduce-start.1)
  %all-gather-start = (bf16[2,3]{1,0}, bf16[16,3]{1,0}) all-gather-start(%y), replica_groups={}, dimensions={0}
  %all-gather-done = bf16[16,3]{1,0} all-gather-done(%all-gather-start)
  %reduce-scatter.2 = s8[5]{0} reduce-scatter(%z), replica_groups={{0,1},{2,3},{4,5},{6,7}}, to_apply=%add
  %all-to-all.4 = pred[64]{0} all-to-all(%m), replica_groups={{0,1,2,3},{4,5,6,7}}, dimensions={0}
  %permute-start = (f32[6]{0}, f32[6]{0}, u32[], u32[]) collective-permute-start(%q), source_target_pairs={{0,1},{1,0}}
  %fusion.3 = f32[3]{0} fusion(%all-reduce.1, %all-gather-done), kind=kLoop, calls=%fused
  %scatter = f32[1,128]{1,0} fusion(%w), kind=kCustom, calls=%all-reduce-scatter.3
}
"""


def test_kinds_counts_and_bytes():
    found = {collective.kind: collective for collective in collectives(TEXT, num_devices=8)}
    both = (40 + 8 + 4) + 400
    assert found == {
        "all-reduce": Collective("all-reduce", 2, both, pytest.approx(2 * 3 / 4 * both)),
        "all-gather": Collective("all-gather", 1, 96, pytest.approx(7 / 8 * 96)),
        "reduce-scatter": Collective("reduce-scatter", 2, 10 + 4096, pytest.approx(10 / 2 + 7 / 8 * 4096)),
        "all-to-all": Collective("all-to-all", 1, 64, pytest.approx(3 / 4 * 64)),
        "collective-permute": Collective("collective-permute", 1, 24, 24),
    }


def test_program_of_one_device_sends_nothing():
    assert collectives("ENTRY %main {\n  %add = f32[3]{0} add(%a, %b)\n}", num_devices=1) == ()
