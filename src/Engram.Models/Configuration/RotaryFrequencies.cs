namespace Engram.Models.Configuration;

/// <summary>
/// Angles per position of the rotary embedding, with YaRN (arXiv 2309.00071) when the configured context exceeds the original one.
/// </summary>
public static class RotaryFrequencies
{
    /// <summary>f_i = θ^(−2i/d_r), blended with f_i/s between the YaRN corrections when the context is extended.</summary>
    public static double[] Of(ModelConfiguration configuration)
    {
        var width = configuration.QkRopeHeadDim;
        var theta = configuration.RopeTheta;
        var plain = Enumerable.Range(0, width / 2).Select(i => Math.Pow(theta, -2.0 * i / width)).ToArray();
        if (configuration.RopeScaling is not { } yarn || configuration.MaxPositionEmbeddings <= yarn.OriginalMaxPositionEmbeddings)
            return plain;

        double Correction(double rotations) =>
            width * Math.Log(yarn.OriginalMaxPositionEmbeddings / (2 * Math.PI * rotations)) / (2 * Math.Log(theta));
        var low = Math.Max(Math.Floor(Correction(yarn.BetaFast)), 0);
        var high = Math.Min(Math.Ceiling(Correction(yarn.BetaSlow)), width - 1);
        if (low == high)
            high += 0.001;
        return
        [
            .. plain.Select(
                (f, i) =>
                {
                    var ramp = Math.Clamp((i - low) / (high - low), 0, 1);
                    return f * (1 - ramp) + f / yarn.Factor * ramp;
                }
            ),
        ];
    }

    /// <summary>
    /// Factor of the attention logits beyond 1/√(key width): m² with m = 0.1 · mscale · ln(s) + 1 when the context is extended, otherwise
    /// 1.
    /// </summary>
    public static double ScoreScale(ModelConfiguration configuration)
    {
        if (
            configuration.RopeScaling is not { } yarn
            || configuration.MaxPositionEmbeddings <= yarn.OriginalMaxPositionEmbeddings
            || yarn.Factor <= 1
        )
            return 1;
        var m = 0.1 * yarn.MscaleAllDim * Math.Log(yarn.Factor) + 1;
        return m * m;
    }
}
