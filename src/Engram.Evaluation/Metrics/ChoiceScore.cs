using System.Text;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>What a model says of one option of a question.</summary>
/// <param name="LogLikelihood">ℓ: the sum of the log-probabilities of the option's tokens behind the prompt, in nats.</param>
/// <param name="Tokens">n: how many tokens that sum has.</param>
/// <param name="Characters">c: Unicode scalars of the option, the delimiter not counted (what Python's <c>len</c> gives).</param>
/// <param name="Bytes">b: UTF-8 bytes of the option, the delimiter not counted.</param>
/// <param name="Unconditional">u: the option's log-likelihood behind a neutral prompt; null where it was not asked for.</param>
public readonly record struct ChoiceScore(double LogLikelihood, int Tokens, int Characters, int Bytes, double? Unconditional = null)
{
    /// <summary>The score of an option whose lengths follow from its text.</summary>
    /// <param name="choice">The option without the delimiter before it.</param>
    /// <param name="logLikelihood">ℓ in nats.</param>
    /// <param name="tokens">n.</param>
    /// <param name="unconditional">u in nats, if known.</param>
    public static ChoiceScore Of(string choice, double logLikelihood, int tokens, double? unconditional = null) =>
        new(logLikelihood, tokens, AnswerText.Characters(choice), Encoding.UTF8.GetByteCount(choice), unconditional);
}
