using System.Text;
using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>Numbered documents, some of which answer a question.</summary>
internal static class DocumentText
{
    /// <summary>A sample; a unit is one more document that does not belong to the question.</summary>
    public static RulerDrawing Draw(RulerQuestions material, int index, WorldRandom random)
    {
        var question = material.Questions[index % material.Questions.Count];
        var others = Enumerable.Range(0, material.Documents.Count).Except(question.Documents).ToArray();
        random.Shuffle(others);
        var order = random.Bits();
        return new RulerDrawing(units => new RulerDraft(
            "Answer the question from the documents below. Give the answer only, without other words.\n\n"
                + $"The documents are these.\n\n{Text(units)}\n\n"
                + "Answer the question from the documents above. Give the answer only, without other words.\n\n"
                + $"Question: {question.Question}",
            " Answer:",
            question.Answers
        ));

        string Text(int units)
        {
            // Where there are too few, they come again.
            int[] chosen =
            [
                .. question.Documents,
                .. Enumerable
                    .Range(0, units)
                    .Select(i => others.Length > 0 ? others[i % others.Length] : question.Documents[i % question.Documents.Count]),
            ];
            new WorldRandom((long)order, "documents").Shuffle(chosen);
            var text = new StringBuilder();
            for (var i = 0; i < chosen.Length; i++)
                text.Append(i == 0 ? "" : "\n\n").Append($"Document {i + 1}:\n").Append(material.Documents[chosen[i]]);
            return text.ToString();
        }
    }
}
