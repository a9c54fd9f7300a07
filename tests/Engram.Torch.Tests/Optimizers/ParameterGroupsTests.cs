using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Torch.Layers;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Engram.Torch.Tests.Optimizers;

public class ParameterGroupsTests
{
    private static readonly string[] Attention =
    [
        "self_attn.q_proj.weight",
        "self_attn.kv_a_proj_with_mqa.weight",
        "self_attn.kv_b_proj.weight",
        "self_attn.o_proj.weight",
    ];
    private static readonly string[] Streams = ["hc_attn_fn", "hc_ffn_fn"];
    private static readonly string[] StreamVectors = ["hc_attn_base", "hc_attn_scale", "hc_ffn_base", "hc_ffn_scale"];
    private static readonly string[] Norms =
    [
        "input_layernorm.weight",
        "post_attention_layernorm.weight",
        "self_attn.kv_a_layernorm.weight",
    ];
    private static readonly string[] Dense = ["mlp.gate_up_proj.weight", "mlp.down_proj.weight"];
    private static readonly string[] Experts =
    [
        "mlp.gate.weight",
        "mlp.experts.gate_up_proj",
        "mlp.experts.down_proj",
        "mlp.shared_experts.gate_up_proj.weight",
        "mlp.shared_experts.down_proj.weight",
    ];
    private static readonly string[] MemoryVectors =
    [
        "engram.q_weight",
        "engram.k_weight",
        "engram.conv.weight",
        "engram.conv_norm.weight",
    ];

    [Fact]
    public void Every_parameter_of_the_tiny_engram_model_has_its_rule()
    {
        using var model = new EngramTransformer(Presets.Load("tiny-engram"));
        var groups = ParameterGroups.Of(model.Parameters.All);
        Expect(
            [
                .. Layers([0, 1, 2, 3], Attention, Streams),
                .. Layers([0], Dense),
                .. Layers([1, 2, 3], Experts),
                .. Layers([1, 2], ["engram.wkv.weight"]),
            ],
            groups.Muon
        );
        Expect(["model.embed_tokens.weight", "lm_head.weight"], groups.Decayed);
        Expect(["model.norm.weight", .. Layers([0, 1, 2, 3], Norms, StreamVectors), .. Layers([1, 2], MemoryVectors)], groups.Undecayed);
        Assert.Equal(model.Parameters.All.Count, groups.Muon.Count + groups.Decayed.Count + groups.Undecayed.Count);
    }

    [Fact]
    public void Logical_matrices_are_declared_where_several_share_a_parameter()
    {
        var configuration = Presets.Load("tiny-engram");
        using var model = new EngramTransformer(configuration);
        var (n, d) = (configuration.HcMult, configuration.HiddenSize);
        Assert.Equal([n, n, n * n], model.Parameters["model.layers.0.hc_attn_fn"].RowBlocks);
        Assert.Equal(Enumerable.Repeat(d, n + 1), model.Parameters["model.layers.1.engram.wkv.weight"].RowBlocks);
        Assert.Equal(
            [configuration.MoeIntermediateSize, configuration.MoeIntermediateSize],
            model.Parameters["model.layers.1.mlp.experts.gate_up_proj"].RowBlocks
        );
        Assert.Empty(model.Parameters["model.layers.0.self_attn.q_proj.weight"].RowBlocks);
        using var muon = new Muon(ParameterGroups.Of(model.Parameters.All).Muon, new MuonOptions()); // every split adds up
    }

    [Fact]
    public void Routers_or_all_matrices_can_go_to_AdamW()
    {
        using var model = new EngramTransformer(Presets.Load("tiny-engram"));
        var all = ParameterGroups.Of(model.Parameters.All);
        var routers = ParameterGroups.Of(model.Parameters.All, router: MatrixOptimizer.AdamW);
        Expect(Layers([1, 2, 3], ["mlp.gate.weight"]), all.Muon.Except(routers.Muon));
        Assert.Equal(all.Undecayed, routers.Undecayed);

        var adam = ParameterGroups.Of(model.Parameters.All, matrices: MatrixOptimizer.AdamW);
        Assert.Empty(adam.Muon);
        Expect([.. all.Muon.Concat(all.Decayed).Select(p => p.Name)], adam.Decayed);
    }

    [Fact]
    public void Frozen_parameters_are_in_no_group()
    {
        using var scope = NewDisposeScope();
        var groups = ParameterGroups.Of([
            Of("a", ParameterRole.Matrix, frozen: true, 2, 2),
            Of("b", ParameterRole.Matrix, frozen: false, 2, 2),
        ]);
        Expect(["b"], groups.Muon);
    }

    [Fact]
    public void What_fits_no_group_is_named()
    {
        using var scope = NewDisposeScope();
        Assert.Contains(
            "'bias'",
            Assert.Throws<ArgumentException>(() => ParameterGroups.Of([Of("bias", ParameterRole.Matrix, false, 4)])).Message
        );
        Assert.Contains(
            "'odd'",
            Assert.Throws<ArgumentException>(() => ParameterGroups.Of([Of("odd", (ParameterRole)9, false, 4)])).Message
        );
        var twice = Of("twice", ParameterRole.Vector, false, 4);
        Assert.Contains("'twice'", Assert.Throws<ArgumentException>(() => ParameterGroups.Of([twice, twice])).Message);
    }

    private static ModelParameter Of(string name, ParameterRole role, bool frozen, params long[] shape) =>
        new(name, new Parameter(zeros(shape), requires_grad: !frozen), role, default, []);

    private static string[] Layers(int[] layers, params string[][] names) =>
        [.. layers.SelectMany(layer => names.SelectMany(n => n), (layer, name) => $"model.layers.{layer}.{name}")];

    private static void Expect(string[] names, IEnumerable<ModelParameter> group) =>
        Assert.Equal(names.Order(StringComparer.Ordinal), group.Select(p => p.Name).Order(StringComparer.Ordinal));
}
