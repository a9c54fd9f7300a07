using Engram.Studies.Definitions;

namespace Engram.Studies.Verdicts;

/// <summary>What the numbers say of a claim.</summary>
public enum Outcome
{
    /// <summary>It holds here, by more than the noise.</summary>
    Reproduced,

    /// <summary>The opposite, or something else, holds by more than the noise.</summary>
    NotReproduced,

    /// <summary>The numbers do not decide.</summary>
    WithinNoise,

    /// <summary>Too few seeds were measured to know the noise, or a score is too small for a share of it to mean anything.</summary>
    Undecided,

    /// <summary>Nothing was measured that could decide.</summary>
    NotMeasured,
}

/// <summary>A claim and what became of it in one setting.</summary>
/// <param name="Claim">What was claimed.</param>
/// <param name="Setting">Where; empty where several are compared, or none was measured.</param>
/// <param name="Outcome">What the numbers say.</param>
/// <param name="Sentence">The numbers.</param>
public sealed record Verdict(StudyClaim Claim, string Setting, Outcome Outcome, string Sentence)
{
    /// <summary>The outcome in words.</summary>
    public string Words =>
        Outcome switch
        {
            Outcome.Reproduced => "reproduced",
            Outcome.NotReproduced => "not reproduced",
            Outcome.WithinNoise => "within noise",
            Outcome.Undecided => "undecided",
            _ => "not measured",
        };
}
