using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch.Memory;
using Engram.Torch.Sequences;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Sequences;

/// <summary>A model with real tables in either precision, that reads token ids whole or through states.</summary>
internal sealed class StateModel : IDisposable
{
    public const int Start = 36;
    public const int Dead = 35;

    private readonly MemoryBank _bank;
    private readonly ScalarType _type;

    public StateModel(ModelConfiguration configuration, ScalarType type = ScalarType.Float64)
    {
        var engram = configuration.Engram! with { PadTokenId = 2, DeadTokenIds = [Dead], TableInitStd = 0.7 };
        configuration = configuration with { BosTokenId = Start, Engram = engram };
        (Transformer, _type) = (TinyModels.Build(configuration, type), type);
        _bank = MemoryBank.Create(configuration, TinyCorpus.Shared.Tokenizer, seed: 4);
    }

    public static Dictionary<string, ModelConfiguration> Configurations { get; } =
        new()
        {
            ["everything"] = TinyModels.Full,
            ["documents in attention"] = TinyModels.Full with { AttentionDocumentMask = true },
            ["memory across documents, no experts"] = TinyModels.Dense with
            {
                HcMult = 2,
                Engram = TinyModels.Engram with { ResetAtDocuments = false },
            },
            ["no convolution, order 5"] = TinyModels.Dense with
            {
                Engram = TinyModels.Engram with { ConvKernel = 0, MaxNgramSize = 5, SlotsPerOrder = [13, 17, 19, 23] },
            },
        };

    public static TheoryData<string> Names => [.. Configurations.Keys];

    public EngramTransformer Transformer { get; }

    /// <summary>Random tokens, every tenth a start and every tenth dead.</summary>
    public static int[] Ids(Random random, int count) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                    random.Next(10) switch
                    {
                        0 => Start,
                        1 => Dead,
                        _ => random.Next(Dead),
                    }
                ),
        ];

    /// <summary>Hidden states [T, D] of a whole sequence, by the way that training takes.</summary>
    public Tensor Whole(ReadOnlySpan<int> ids)
    {
        using var noGrad = no_grad();
        var (starts, rows) = (Transformer.Documents.Starts(ids), new MemoryRows());
        _bank.Address(ids, starts, 1, rows);
        using var memory = Gather(rows, 1, ids.Length);
        return Transformer.Forward(ids, starts, 1, memory).Hidden;
    }

    /// <summary>Hidden states [B, T, D] of the next tokens of states.</summary>
    public Tensor Continue(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids)
    {
        var rows = new MemoryRows();
        _bank.AddressNext([.. states.Select(state => state.Tokens)], ids, rows);
        using var memory = Gather(rows, states.Count, ids.Length / states.Count);
        return Transformer.Continue(states, ids, memory).view(states.Count, ids.Length / states.Count, -1);
    }

    public void Dispose()
    {
        Transformer.Dispose();
        _bank.Dispose();
    }

    private GatheredMemory Gather(MemoryRows rows, int sequences, int length)
    {
        using var scope = NewDisposeScope();
        using var gathered = _bank.Gather(rows, 0, sequences, length, CPU, requiresGradient: false);
        return gathered.Map(Transformer.Configuration, values => values.to(_type));
    }
}
