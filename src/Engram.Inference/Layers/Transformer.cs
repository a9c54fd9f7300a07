using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;

namespace Engram.Inference.Layers;

// Shape letters: N rows   n streams   D hidden width   V vocabulary

/// <summary>
/// Embedding, blocks, exit of the streams, final norm and read-out. Immutable: threads share it, each with a pass of its own.
/// </summary>
internal sealed unsafe class Transformer
{
    private readonly ModelConfiguration _configuration;
    private readonly double[] _frequencies;
    private readonly Matrix _embedding;
    private readonly MemoryFusion? _inputMemory;
    private readonly Block[] _blocks;
    private readonly Matrix? _exit;
    private readonly float* _exitBase;
    private readonly float* _exitScale;
    private readonly float* _finalGain;
    private readonly Matrix _head;

    public Transformer(ModelConfiguration configuration, ModelWeights weights)
    {
        _configuration = configuration;
        var (vocabulary, hidden, streams) = (configuration.VocabularySize, configuration.HiddenSize, configuration.HcMult);
        _frequencies = RotaryFrequencies.Of(configuration);
        _embedding = weights.Matrix("model.embed_tokens.weight", vocabulary, hidden);
        if (configuration.Engram is { Fusion: FusionPlace.Input })
            _inputMemory = new MemoryFusion(configuration, weights, "model.layers.0.engram", position: 0, part: -1);
        var parts = new List<int>();
        var blocks = new List<Block>();
        for (var layer = 0; layer < configuration.NumHiddenLayers; layer++)
            blocks.Add(new Block(configuration, weights, layer, parts));
        (_blocks, PartWidths) = ([.. blocks], [.. parts]);
        if (configuration.HcExit == StreamExit.Head)
        {
            _exit = weights.Matrix("model.hc_head_fn", streams, streams * hidden);
            _exitBase = weights.Vector("model.hc_head_base", streams);
            _exitScale = weights.Vector("model.hc_head_scale", 1);
        }

        _finalGain = weights.Vector("model.norm.weight", hidden);
        _head = configuration.TieWordEmbeddings ? _embedding : weights.Matrix("lm_head.weight", vocabulary, hidden);
    }

    /// <summary>Values that a sequence keeps of every position, part by part.</summary>
    public int[] PartWidths { get; }

    /// <summary>Reads the rows of a pass: final normalised hidden states [N, D] in <see cref="ForwardPass.Normed"/>.</summary>
    /// <param name="pass">Begun.</param>
    /// <param name="ids">Token ids [N].</param>
    public void Forward(ForwardPass pass, ReadOnlySpan<int> ids)
    {
        Embed(pass, ids);
        Turn(pass);
        foreach (var block in _blocks)
            block.Forward(pass);
        Exit(pass);
        var hidden = _configuration.HiddenSize;
        var normed = pass.Normed.Reserve((long)pass.Rows * hidden);
        for (var row = 0; row < pass.Rows; row++)
            Normalization.Rms(
                pass.Input.Pointer + (long)row * hidden,
                _finalGain,
                hidden,
                _configuration.RmsNormEps,
                normed + (long)row * hidden
            );
    }

    /// <summary>Read-out of consecutive rows → logits [rows, V].</summary>
    public void Logits(ForwardPass pass, int row, int rows, Span<float> logits)
    {
        fixed (float* target = logits)
            pass.Multiply(_head, pass.Normed.Pointer + (long)row * _configuration.HiddenSize, rows, target);
    }

    private void Embed(ForwardPass pass, ReadOnlySpan<int> ids)
    {
        var (streams, hidden) = (_configuration.HcMult, _configuration.HiddenSize);
        var input = pass.Input.Reserve((long)pass.Rows * hidden);
        for (var row = 0; row < pass.Rows; row++)
        {
            var embedding = new Span<float>(input + (long)row * hidden, hidden);
            _embedding.CopyRow(ids[row], input + (long)row * hidden);
            TensorPrimitives.Multiply(embedding, (float)_configuration.InputScale, embedding);
        }

        if (pass.Sequence(0).Memory is not null)
            _inputMemory?.Forward(pass, input);
        var target = pass.Streams.Reserve((long)pass.Rows * streams * hidden);
        for (var row = 0; row < pass.Rows; row++)
        for (var s = 0; s < streams; s++, target += hidden)
            new ReadOnlySpan<float>(input + (long)row * hidden, hidden).CopyTo(new Span<float>(target, hidden));
    }

    private void Turn(ForwardPass pass)
    {
        var angles = pass.Angles.Reserve(2L * pass.Rows * _frequencies.Length);
        for (var row = 0; row < pass.Rows; row++)
            foreach (var frequency in _frequencies)
            {
                var (sin, cos) = Math.SinCos(pass.Position(row) * frequency);
                *angles++ = (float)cos;
                *angles++ = (float)sin;
            }
    }

    /// <summary>
    /// Streams [N, n, D] → [N, D] in <see cref="ForwardPass.Input"/>: their mean, or the learnt sum of DeepSeek-V4's head.
    /// </summary>
    private void Exit(ForwardPass pass)
    {
        var (n, hidden) = (_configuration.HcMult, _configuration.HiddenSize);
        var input = pass.Input.Reserve((long)pass.Rows * hidden);
        var weights = pass.Coefficients.Reserve((long)pass.Rows * n);
        new Span<float>(weights, pass.Rows * n).Fill(1f / n);
        if (_exit is { } exit)
            pass.Multiply(exit, pass.Streams.Pointer, pass.Rows, weights);
        for (var row = 0; row < pass.Rows; row++, weights += n)
        {
            var streams = pass.Streams.Pointer + (long)row * n * hidden;
            if (_exit is not null)
            {
                var unit = Normalization.InverseRms(streams, n * hidden, _configuration.RmsNormEps);
                for (var s = 0; s < n; s++)
                    weights[s] = Normalization.Sigmoid(weights[s] * unit * _exitScale[0] + _exitBase[s]) + (float)_configuration.HcEps;
            }

            RowMixture.Mix(streams, hidden, n, weights, hidden, input + (long)row * hidden);
        }
    }
}
