namespace Engram.Evaluation.Metrics;

/// <summary>By what an option is chosen: the largest value wins, the lowest index among equals.</summary>
public enum ChoiceRule
{
    /// <summary>ℓ: <c>acc</c> of lm-evaluation-harness.</summary>
    Likelihood,

    /// <summary>ℓ / c, per Unicode scalar: <c>acc_norm</c> of lm-evaluation-harness.</summary>
    PerCharacter,

    /// <summary>ℓ / b, per UTF-8 byte: <c>acc_bytes</c> of lm-evaluation-harness.</summary>
    PerByte,

    /// <summary>ℓ / n, per token: length normalisation of DeepSeek LLM (2401.02954 §5.1), "length" read as tokens.</summary>
    PerToken,

    /// <summary>
    /// ℓ − u, against the neutral prompt: unconditional normalisation (Brown et al. 2020; DeepSeek's ARC); <c>acc_mutual_info</c> with an
    /// empty prompt.
    /// </summary>
    Unconditional,

    /// <summary>ℓ / n of one completion behind different prefixes: the smallest mean loss wins (<c>prefix_ppl</c>, WinoGrande).</summary>
    PrefixPerplexity,
}
