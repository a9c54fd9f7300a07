using System.Text.Json;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>A small model, and a folder with a task and its rows: what tests of the harness begin with.</summary>
public abstract class TasksInFolder : IDisposable
{
    protected const string Choice = """
        { "task": "t", "version": 1, "description": "d", "kind": "choice", "data": [{ "files": ["absent.jsonl"] }, { "files": ["rows.jsonl"] }], "subtask": "subject",
          "few_shot": { "count": 2 }, "instruction": "About {{ subject }}.\n\n", "prompt": "Q: {{ question }}\nA:", "metrics": ["acc_uncond", "acc", "acc_norm", "acc_bytes", "acc_tok"],
          "stem": ["question"], "published": { "source": "s", "metric": "accuracy", "shots": 2, "scores": { "engram_27b": 89.0 } } }
        """;

    private readonly InferenceModels _models = new(TinyRun.Configuration);

    private protected TemporaryFolder Folder { get; } = new();

    protected ManagedModel Model { get; }

    protected TasksInFolder()
    {
        Model = new ManagedModel(EngramModel.Open(_models.Folder, threads: 1));
        Write(
            "rows.jsonl",
            Enumerable
                .Range(0, 6)
                .Select(i =>
                    $$"""{"question": "which {{i}}", "choices": ["yes", "no", "a é {{i}}"], "gold": {{i % 3}}, "subject": "{{(i < 4 ? "one" : "two")}}"}"""
                )
        );
        Write("t.json", [Choice]);
    }

    public void Dispose()
    {
        Model.Dispose();
        _models.Dispose();
        Folder.Dispose();
    }

    protected void Write(string name, IEnumerable<string> lines) => File.WriteAllText(Folder.File(name), string.Join('\n', lines) + "\n");

    protected TaskFile Load(string name = "t.json") => TaskFiles.Load(Folder.File(name));

    protected EvaluationOptions Options => new() { DataRoot = Path.GetDirectoryName(Folder.File("rows.jsonl"))! };

    protected TaskSample[] Samples(EvaluationOptions options, TaskFile? task = null, string file = "samples.jsonl")
    {
        using (var samples = SampleFile.Open(Folder.File(file), resume: true))
            TaskRunner.Run(
                Model,
                Model.Memory,
                [task ?? Load()],
                options with
                {
                    Samples = samples,
                },
                cancellation: TestContext.Current.CancellationToken
            );
        return
        [
            .. File.ReadAllLines(Folder.File(file))
                .Select(line => JsonSerializer.Deserialize(line, SampleJson.Readable.TaskSample)!)
                .OrderBy(sample => sample.Index),
        ];
    }
}
