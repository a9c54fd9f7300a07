namespace Engram.Corpora.World;

/// <summary>
/// How much knowledge losses prove, in bits (Allen-Zhu and Li 2024, "Knowledge capacity scaling laws", arXiv 2404.05405). Losses are
/// natural logarithms,
/// summed over the tokens of a name or value,
/// the mean over persons or facts. Divide by the parameters for bits per parameter.
/// </summary>
public static class KnowledgeBits
{
    /// <summary>What one name of their biographies tells: first, middle and last name.</summary>
    public static double BiographyNameBits { get; } = Math.Log2(400.0 * 400 * 1000);

    /// <summary>What one person's attributes tell: pronoun, birth date, birth city, university, major, employer.</summary>
    public static double BiographyValueBits { get; } = Math.Log2(2.0 * (12 * 28 * 200) * 200 * 300 * 100 * 263);

    /// <summary>Definition 4.2: N·log₂(N₀/e^p₁) + N·log₂(S₀/e^p₂).</summary>
    /// <param name="persons">N.</param>
    /// <param name="nameNats">p₁: mean loss of a name, summed over its tokens.</param>
    /// <param name="valueNats">p₂: mean loss of a person's attributes, summed over their tokens.</param>
    public static double Biographies(long persons, double nameNats, double valueNats) =>
        persons * (BiographyNameBits - nameNats / Math.Log(2)) + persons * (BiographyValueBits - valueNats / Math.Log(2));

    /// <summary>
    /// Theorem 3.2 for names of N₀ possible, K attributes of C chunks each drawn from D values of L tokens out of T:
    /// N·log₂(N₀/e^p₁) + N·K·log₂(D^C/e^p₂) + K·D·log₂(T^L/(D·e^p₃)).
    /// </summary>
    /// <param name="persons">N.</param>
    /// <param name="possibleNames">N₀.</param>
    /// <param name="attributes">K.</param>
    /// <param name="chunks">C.</param>
    /// <param name="values">D.</param>
    /// <param name="valueTokens">L.</param>
    /// <param name="vocabulary">T.</param>
    /// <param name="nameNats">p₁.</param>
    /// <param name="valueNats">p₂, of one attribute.</param>
    /// <param name="dictionaryNats">p₃, of one value's spelling.</param>
    public static double Generic(
        long persons,
        double possibleNames,
        int attributes,
        int chunks,
        double values,
        int valueTokens,
        double vocabulary,
        double nameNats,
        double valueNats,
        double dictionaryNats
    ) =>
        persons * (Math.Log2(possibleNames) - nameNats / Math.Log(2))
        + (double)persons * attributes * (chunks * Math.Log2(values) - valueNats / Math.Log(2))
        + attributes * values * (valueTokens * Math.Log2(vocabulary) - Math.Log2(values) - dictionaryNats / Math.Log(2));

    /// <summary>
    /// What losses on the values of a world's facts prove: Σ (log₂ of the number of possible values − loss in bits), values being drawn
    /// alike and
    /// independently. Zero for a reader who guesses,
    /// the world's whole content for one who knows. Negative for one who is mistaken and sure.
    /// </summary>
    /// <param name="facts">For each fact its <see cref="Fact.Bits"/> and the loss of its value, summed over tokens.</param>
    public static double OfFacts(IEnumerable<(double Bits, double Nats)> facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        return facts.Sum(fact => fact.Bits - fact.Nats / Math.Log(2));
    }
}
