using Engram.Models.Configuration;
using Engram.Storage;
using Engram.Tables;

namespace Engram.Torch.Tests.Inspection;

/// <summary>
/// The memory fusion of one layer in plain double arithmetic, straight from the recipe in docs/formats.md: the files of a model folder and
/// of a dump in, gates and outputs out. No tensor library, no code of the model.
/// </summary>
internal sealed class FusionOracle
{
    private readonly EngramConfiguration _engram;
    private readonly int _streams;
    private readonly int _hidden;
    private readonly double _epsilon;
    private readonly double[] _keyValue;
    private readonly double[] _queryGain;
    private readonly double[] _keyGain;
    private readonly double[] _taps;
    private readonly double[] _normGain;
    private readonly float[] _table;

    public FusionOracle(string modelFolder, int layer)
    {
        var configuration = ModelConfiguration.Load(Path.Combine(modelFolder, "config.json"));
        (_engram, _streams, _hidden) = (configuration.Engram!, configuration.FusedStreams, configuration.HiddenSize);
        _epsilon = _engram.NormEps ?? configuration.RmsNormEps;
        using var weights = SafetensorsFile.Open(Path.Combine(modelFolder, "model.safetensors"));
        double[] Weight(string name) =>
            weights.Tensors.ContainsKey($"model.layers.{layer}.engram.{name}")
                ? [.. Values<float>(weights, $"model.layers.{layer}.engram.{name}").Select(value => (double)value)]
                : [];
        (_keyValue, _queryGain, _keyGain, _taps, _normGain) = (
            Weight("wkv.weight"),
            Weight("q_weight"),
            Weight("k_weight"),
            Weight("conv.weight"),
            Weight("conv_norm.weight")
        );
        using var table = SafetensorsFile.Open(Path.Combine(modelFolder, TablePaths.Table(layer)));
        _table = Values<float>(table, TablePaths.Tensor(layer));
    }

    public static T[] Values<T>(SafetensorsFile file, string name)
        where T : unmanaged
    {
        var values = new T[file.Tensors[name].Shape.Aggregate(1L, (a, b) => a * b)];
        file.CopyTo<T>(name, values);
        return values;
    }

    /// <summary>Rows [T, H] → the table's rows side by side [T, H·w]; zeros for −1.</summary>
    public float[] Memory(long[] rows) =>
        [.. rows.SelectMany(row => row < 0 ? new float[_engram.HeadDim] : _table.Skip((int)row * _engram.HeadDim).Take(_engram.HeadDim))];

    /// <summary>
    /// Memory [T, E] and streams [T, S, D] → gates [T, S] and outputs [T, S, D] of one document, some of whose positions are dead [T].
    /// </summary>
    public (double[] Gate, double[] Output) Fuse(float[] memory, float[] hiddenIn, bool[] dead)
    {
        var width = _engram.MemoryWidth;
        var length = memory.Length / width;
        var (gates, gated) = (new double[length * _streams], new double[length * _streams * _hidden]);
        for (var t = 0; t < length; t++)
        {
            double[] Product(int block) =>
                [
                    .. Enumerable
                        .Range(block * _hidden, _hidden)
                        .Select(row =>
                            Enumerable.Range(0, width).Sum(column => _keyValue[row * width + column] * memory[t * width + column])
                        ),
                ];
            var value = Product(_engram.Gate == EngramGate.None ? 0 : _streams);
            for (var s = 0; s < _streams; s++)
            {
                gates[t * _streams + s] =
                    dead[t] ? 0
                    : _engram.Gate == EngramGate.None ? 1
                    : Gate(Query(t, s), Product(s), s);
                for (var d = 0; d < _hidden; d++)
                    gated[(t * _streams + s) * _hidden + d] = gates[t * _streams + s] * value[d];
            }
        }

        return (gates, _engram.ConvKernel == 0 ? gated : Convolved(gated, dead));

        double[] Query(int t, int s) => [.. hiddenIn.Skip((t * _streams + s) * _hidden).Take(_hidden).Select(value => (double)value)];
    }

    private double Gate(double[] query, double[] key, int stream)
    {
        var (q, k) = (Normed(query, _epsilon), Normed(key, _epsilon));
        var score =
            Enumerable.Range(0, _hidden).Sum(d => q[d] * _queryGain[stream * _hidden + d] * k[d] * _keyGain[stream * _hidden + d])
            / Math.Sqrt(_hidden);
        if (_engram.Gate is EngramGate.SignedSqrt or EngramGate.CopySignSqrt)
            score = Math.Sign(score) * Math.Sqrt(Math.Max(Math.Abs(score), 1e-6));
        return 1 / (1 + Math.Exp(-score));
    }

    private double[] Convolved(double[] gated, bool[] dead)
    {
        var length = dead.Length;
        var normed = new double[gated.Length];
        for (var at = 0; at < gated.Length; at += _hidden)
        {
            var unit = Normed(gated[at..(at + _hidden)], 1e-5);
            for (var d = 0; d < _hidden; d++)
                normed[at + d] = unit[d] * _normGain[at / _hidden % _streams * _hidden + d];
        }

        var channels = _streams * _hidden;
        var output = new double[gated.Length];
        for (var t = 0; t < length; t++)
        for (var c = 0; c < channels; c++)
        {
            var sum = 0.0;
            for (var j = 0; j < _engram.ConvKernel; j++)
                if (t - (_engram.ConvKernel - 1 - j) * _engram.ConvDilation is >= 0 and var from && !dead[from..(t + 1)].Contains(true))
                    sum += _taps[c * _engram.ConvKernel + j] * normed[from * channels + c];
            output[t * channels + c] = gated[t * channels + c] + sum / (1 + Math.Exp(-sum));
        }

        return output;
    }

    private static double[] Normed(double[] x, double epsilon)
    {
        var scale = 1 / Math.Sqrt(x.Average(value => value * value) + epsilon);
        return [.. x.Select(value => value * scale)];
    }
}
