using Engram.Corpora.World;
using Engram.Models.Memory;
using static TorchSharp.torch;

namespace Engram.Studies.Measures;

/// <summary>
/// What a model knows of a synthetic world: the share of questions of each kind whose answer is the likeliest continuation, token by token, with its memory and without. That is what greedy
/// generation would write, found in one pass.
/// </summary>
internal static class WorldRecall
{
    private const int QuestionsOfAKind = 200, Batch = 16;
    private const string Off = "_off";

    /// <summary>The row that comes last.</summary>
    public const string Last = "recall_" + WorldQuestions.Arithmetic;

    /// <summary>A row for each kind of question, and one with the memory off where there is one.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var world = new SyntheticWorld(run.Run.Corpus.WorldOptions()!);
        var rows = new List<(string Measure, double Value)>();
        // Arithmetic is in every world, and its set is the last one.
        foreach (var (kind, questions) in new WorldQuestions(world).Sets())
        {
            List<(int[] Ids, int Answer)> asked = [.. questions.Take(QuestionsOfAKind).Select(question => Encode(run, question)).OrderBy(question => question.Ids.Length)];
            if (run.Model.Memory is not null)
                rows.Add(($"recall_{kind}{Off}", Share(run, asked, null, cancellation)));
            rows.Add(($"recall_{kind}", Share(run, asked, run.Model.Memory, cancellation)));
        }
        return rows;
    }

    /// <summary>Ids of the document's start, the prompt and the answer, and how many the answer has.</summary>
    private static (int[] Ids, int Answer) Encode(MeasuredRun run, WorldQuestion question)
    {
        var tokenizer = run.Corpus.Tokenizer;
        IReadOnlyList<int> prompt = [.. tokenizer.Encode(question.Prompt)], answer = [.. tokenizer.Encode(" " + question.Answer)];
        return ([run.Corpus.Summary.EndOfTextId, .. prompt, .. answer], answer.Count);
    }

    private static double Share(MeasuredRun run, List<(int[] Ids, int Answer)> asked, MemoryBank? memory, CancellationToken cancellation)
    {
        using var inference = inference_mode();
        var right = 0;
        foreach (var batch in asked.Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            right += Right(run, batch, memory);
        }
        return (double)right / asked.Count;
    }

    private static int Right(MeasuredRun run, (int[] Ids, int Answer)[] batch, MemoryBank? memory)
    {
        using var scope = NewDisposeScope();
        // What fills a shorter sequence stands behind its answer, where no position that is read sees it.
        var length = batch.Max(question => question.Ids.Length);
        var (ids, starts) = (new int[batch.Length * length], new bool[batch.Length * length]);
        Array.Fill(ids, run.Corpus.Summary.EndOfTextId);
        var (positions, expected, owners) = (new List<long>(), new List<int>(), new List<int>());
        for (var i = 0; i < batch.Length; i++)
        {
            batch[i].Ids.CopyTo(ids, i * length);
            starts[i * length] = true;
            for (var place = batch[i].Ids.Length - batch[i].Answer; place < batch[i].Ids.Length; place++)
            {
                positions.Add((i * length) + place - 1);
                expected.Add(batch[i].Ids[place]);
                owners.Add(i);
            }
        }
        using var gathered = memory is null ? null : run.Model.GatherMemory(ids, starts, batch.Length, memory);
        var (hidden, _) = run.Model.Transformer.Forward(ids, starts, batch.Length, gathered);
        var likeliest = run.Model.Transformer.Logits(hidden.index_select(0, tensor(positions.ToArray()))).argmax(-1).data<long>().ToArray();
        var wrong = likeliest.Zip(expected, owners).Where(token => token.First != token.Second).Select(token => token.Third).Distinct().Count();
        return batch.Length - wrong;
    }
}
