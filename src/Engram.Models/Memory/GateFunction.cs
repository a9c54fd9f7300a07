using Engram.Models.Configuration;

namespace Engram.Models.Memory;

/// <summary>What the gate of a memory takes the sigmoid of (paper Eq. 4, <see cref="EngramGate"/>), for both engines.</summary>
internal static class GateFunction
{
    /// <summary>The root is taken of at least this, which keeps its slope finite near 0.</summary>
    public const float RootFloor = 1e-6f;

    /// <summary>
    /// ± √max(|s|, floor) for the roots, and 0 for 0 where the sign function says so. Not a number stays one (MathF.Sign would throw), so
    /// that a diverged run reports its loss.
    /// </summary>
    /// <param name="gate">Any but <see cref="EngramGate.None"/>.</param>
    /// <param name="score">The scaled product of query and key.</param>
    public static float Logit(EngramGate gate, float score) =>
        gate == EngramGate.Sigmoid || (gate == EngramGate.SignedSqrt && score == 0)
            ? score
            : MathF.CopySign(MathF.Sqrt(MathF.Max(MathF.Abs(score), RootFloor)), score);
}
