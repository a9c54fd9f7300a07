using Engram.Evaluation.Harness;
using Engram.Evaluation.Ruler;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Tests.Storage;
using Engram.Tokenization;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation.Ruler;

/// <summary>Samples put to models, and answers taken from a file.</summary>
public sealed class RulerEvaluationTests : IDisposable
{
    private static readonly RulerOptions Few = new()
    {
        Length = 560,
        Samples = 2,
        Tasks = ["niah_single_1", "niah_multikey_2"],
    };

    private readonly TemporaryFolder _folder = new();
    private readonly InferenceModels _models = new(TinyRun.Configuration with { MaxPositionEmbeddings = 1024 });
    private readonly ManagedModel _managed;

    public RulerEvaluationTests() => _managed = new ManagedModel(EngramModel.Open(_models.Folder, threads: 1));

    public void Dispose()
    {
        _managed.Dispose();
        _models.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Answers_AreGreedyGeneration_InBothEngines()
    {
        using var torch = new TorchModel(LanguageModel.Load(_models.Folder));
        var items = new RulerItems(_managed.Tokenizer, new RulerMaterial(), Few.Length, Few.Seed);
        string[] expected =
        [
            .. Few
                .Tasks.SelectMany(name => items.Make(RulerTask.Named([name])[0], Few.Samples))
                .Select(item =>
                    string.Concat(
                        new Engram.Inference.TextGenerator(_models.Managed).Stream(
                            item.Context,
                            new SamplingOptions { Temperature = 0, MaxNewTokens = item.Task.NewTokens },
                            _models.Managed.Memory
                        )
                    )
                ),
        ];
        foreach (var (model, name) in new (IScoredModel, string)[] { (_managed, "managed"), (torch, "torch") })
        {
            var report = Run(model, model.Memory, Few with { Model = name }, name);
            Assert.Equal(expected, Lines(name).Select(sample => sample.Prediction!.GetValue<string>()));
            Assert.Equal([("niah_single_1", 2), ("niah_multikey_2", 2)], report.Tasks.Select(task => (task.Task, task.Samples)));
            Assert.All(report.Tasks, task => Assert.InRange(task.MeanTokens, Few.Length / 2, Few.Length));
        }
    }

    [Fact]
    public void AnswersInAFile_AreTaken_OnlyOfTheSameModelMemoryPartAndSample()
    {
        var part = Suppression.Parse("order=3");
        (string What, RulerOptions Options, MemoryBank? Memory)[] runs =
        [
            ("the first", Few, _managed.Memory),
            ("memory off", Few with { Memory = "off" }, null),
            ("a part silenced", Few with { Suppression = part }, _managed.Memory),
            ("a part of prompts silenced", Few with { Suppression = Suppression.Parse("order=3@prompt") }, _managed.Memory),
            ("other weights", Few with { ModelIdentity = "others" }, _managed.Memory),
            ("another name", Few with { Model = "other" }, _managed.Memory),
            ("another seed", Few with { Seed = 1 }, _managed.Memory),
            ("another length", Few with { Length = 540 }, _managed.Memory),
        ];
        var (lines, reports) = (0, new List<RulerReport>());
        foreach (var (what, options, memory) in runs)
        {
            reports.Add(Run(_managed, memory, options, "answers"));
            lines += 4;
            Assert.True(lines == Lines("answers").Length, $"{what}: {Lines("answers").Length} lines, {lines} expected.");
        }

        // What stands there says of which run it is, and is not asked again.
        var written = Lines("answers");
        Assert.Equal(["on", "off", "on", "on", "on", "on", "on", "on"], written.Chunk(4).Select(run => run[0].Memory));
        Assert.Equal([null, null, "order=3", "order=3@prompt", null, null, null, null], written.Chunk(4).Select(run => run[0].Suppressed));
        Assert.Equal(8, written.Select(sample => sample.Key).Distinct().Count());
        foreach (var ((_, options, memory), report) in runs.Zip(reports))
        {
            var heard = new Heard();
            var again = Run(new Refusing(_managed), memory, options, "answers", heard);
            Assert.Equal(report.Tasks.Select(task => (task.Task, task.Score)), again.Tasks.Select(task => (task.Task, task.Score)));
            Assert.Equal([1, 2, 3, 4], heard.Reports.Select(progress => progress.Samples));
            Assert.All(heard.Reports, progress => Assert.Null(progress.Remaining));
        }
        Assert.Equal(lines, Lines("answers").Length);

        // Of more samples only the new ones are asked.
        Run(_managed, _managed.Memory, Few with { Samples = 3 }, "answers");
        Assert.Equal([2, 2], Lines("answers")[lines..].Select(sample => sample.Index));
    }

    /// <summary>A task that does not fit is told before another is asked.</summary>
    [Fact]
    public void NothingIsAsked_WhereATaskOrTheLengthDoesNotFit()
    {
        var error = Assert.Throws<ArgumentException>(() =>
            RulerEvaluation.Run(
                new Refusing(_managed),
                null,
                Few with
                {
                    Length = 500,
                    Tasks = ["niah_single_1", "cwe"],
                },
                cancellation: TestContext.Current.CancellationToken
            )
        );
        Assert.Contains("cwe does not fit in 500 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("only what fits: niah_single_1.", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            "context is 1,024 tokens",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    RulerEvaluation.Run(
                        new Refusing(_managed),
                        null,
                        Few with
                        {
                            Length = 1025,
                        },
                        cancellation: TestContext.Current.CancellationToken
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private RulerReport Run(IScoredModel model, MemoryBank? memory, RulerOptions options, string file, Heard? heard = null)
    {
        using var answers = SampleFile.Open(_folder.File(file), resume: true);
        return RulerEvaluation.Run(model, memory, options with { Answers = answers }, heard, TestContext.Current.CancellationToken);
    }

    private TaskSample[] Lines(string file) =>
        [
            .. File.ReadAllLines(_folder.File(file))
                .Select(line => System.Text.Json.JsonSerializer.Deserialize(line, SampleJson.Readable.TaskSample)!),
        ];

    private sealed class Heard : IProgress<RulerProgress>
    {
        public List<RulerProgress> Reports { get; } = [];

        public void Report(RulerProgress value) => Reports.Add(value);
    }

    /// <summary>A model that must not be asked.</summary>
    private sealed class Refusing(IScoredModel model) : IScoredModel
    {
        public ModelConfiguration Configuration => model.Configuration;

        public Tokenizer Tokenizer => model.Tokenizer;

        public MemoryBank? Memory => model.Memory;

        public IScoredSequence Start(MemoryBank? memory) => throw new InvalidOperationException("The model is asked.");

        public void Step(IReadOnlyList<IScoredSequence> sequences, ReadOnlySpan<int> tokenIds, Span<float> logits) =>
            throw new InvalidOperationException("The model is asked.");

        public void Dispose() { }
    }
}
