using System.Text;
using Engram.Corpora.Files;

namespace Engram.Corpora.World;

/// <summary>
/// Real text between the documents of a world. Books are cut into groups of paragraphs, so that the mixture is the same everywhere.
/// </summary>
/// <param name="source">The real text, read in its order.</param>
/// <param name="ratio">Share of real text among all bytes, in (0, 1).</param>
internal sealed class MixedText(CorpusSource source, double ratio)
{
    /// <summary>The world's documents, each followed by as many real ones as the ratio asks for.</summary>
    /// <exception cref="InvalidDataException">There is too little real text.</exception>
    public IEnumerable<Document> Into(IEnumerable<Document> world, CancellationToken cancellation)
    {
        using var real = source.Read(cancellation: cancellation).SelectMany(ParagraphGroups.Cut).GetEnumerator();
        var (ours, theirs) = (0L, 0L);
        foreach (var document in world)
        {
            yield return document;
            ours += Encoding.UTF8.GetByteCount(document.Text);
            while (theirs * (1 - ratio) < ours * ratio)
            {
                if (!real.MoveNext())
                    throw new InvalidDataException(
                        $"'{source.Spec}' has {theirs:N0} bytes of text, too few for a share of {ratio} beside this world. Give more "
                            + "text, a smaller ratio or a shorter world."
                    );
                theirs += Encoding.UTF8.GetByteCount(real.Current.Text);
                yield return real.Current;
            }
        }
    }
}
