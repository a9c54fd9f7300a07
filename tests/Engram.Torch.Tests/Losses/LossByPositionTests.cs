using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Studies.Pages;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Losses;

public sealed class LossByPositionTests
{
    private const int Length = 20;

    [Fact]
    public void Bins_are_the_mean_losses_of_their_positions()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var text = EvaluationText.Of(TinyCorpus.Shared, model.Tokenizer, Length, 11);
        Assert.Equal((Length, 11), (text.Length, text.Sequences));
        var each = LossByPosition.Measure(model, text, Length, model.Memory);
        Assert.Equal(Enumerable.Range(0, Length), each.Select(loss => loss.First));
        Assert.All(each, loss => Assert.Equal((1, 11), (loss.Positions, loss.Tokens)));
        // The same tokens in other batches.
        Assert.Equal(ValidationLoss.Measure(model, text, model.Memory).Nats, each.Average(loss => loss.Nats), 1e-5);

        var three = LossByPosition.Measure(model, text, 3, model.Memory);
        Assert.Equal([(0, 6), (6, 7), (13, 7)], three.Select(loss => (loss.First, loss.Positions)));
        Assert.Equal(each.Skip(6).Take(7).Average(loss => loss.Nats), three[1].Nats, 1e-6);
        Assert.All(three, loss => Assert.InRange(loss.StandardError, 1e-4, 1));
        Assert.Equal(each, LossByPosition.Measure(model, text, 1000, model.Memory));
        Assert.NotEqual(three[1].Nats, LossByPosition.Measure(model, text, 3, null)[1].Nats);
    }

    /// <summary>A file of the validation text read as text gives what the prepared data give.</summary>
    [Fact]
    public void Text_is_read_as_prepared_data_are()
    {
        using var folder = new TemporaryFolder();
        using var model = RandomModel.Create(TinyRun.Configuration);
        var ids = new int[TinyCorpus.Shared.Validation.Count];
        TinyCorpus.Shared.Validation.CopyTo(0, ids);
        var start = TinyCorpus.Shared.Summary.EndOfTextId;
        var documents = model.Tokenizer.Decode(ids).Split(model.Tokenizer.Decode([start]), StringSplitOptions.RemoveEmptyEntries);
        File.WriteAllLines(folder.File("text.jsonl"), documents.Select(text => System.Text.Json.JsonSerializer.Serialize(new { text })));
        var text = EvaluationText.Of(CorpusSource.Open(folder.File("text.jsonl")), model.Tokenizer, start, Length, 9);
        var prepared = EvaluationText.Of(TinyCorpus.Shared, model.Tokenizer, Length, 9);
        Assert.Equal(ValidationLoss.Measure(model, prepared, model.Memory), ValidationLoss.Measure(model, text, model.Memory));
        Assert.Throws<InvalidDataException>(() =>
            EvaluationText.Of(CorpusSource.Open(folder.File("text.jsonl")), model.Tokenizer, start, 1 << 20, 9)
        );
    }

    [Fact]
    public void Sequences_beyond_the_context_are_refused()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 16 });
        var text = EvaluationText.Of(TinyCorpus.Shared, model.Tokenizer, Length, 2);
        Assert.Contains(
            "max_position_embeddings of the model is 16",
            Assert.Throws<ArgumentException>(() => LossByPosition.Measure(model, text, 4, null)).Message
        );
        Assert.Contains(
            "too little for sequences",
            Assert.Throws<ArgumentException>(() => ValidationLoss.Measure(model, text, null)).Message
        );
    }

    [Fact]
    public void Report_shows_every_curve_and_number()
    {
        PositionCurve[] curves =
        [
            new("runs/<old>/model", [new PositionLoss(0, 8, 3.25, 0.01, 80), new PositionLoss(8, 8, 9.5, 0.02, 80)]),
            new("runs/new/model", [new PositionLoss(0, 8, 3.5, 0.01, 80), new PositionLoss(8, 8, 3.125, 0.02, 80)]),
        ];
        var page = PositionLossReport.Page("held-out text", curves);
        foreach (
            var shown in (string[])
                ["runs/&lt;old&gt;/model", "runs/new/model", "0 to 7", "8 to 15", "9.5000 ± 0.0200", "3.1250 ± 0.0200", "held-out text"]
        )
            Assert.Contains(shown, page);
        Assert.DoesNotContain("<old>", page);
        var picture = System.Xml.Linq.XDocument.Parse(PositionLossReport.Svg(curves));
        Assert.Equal("svg", picture.Root!.Name.LocalName);
        Assert.Contains("runs/<old>/model", picture.Root.Value);
    }
}
