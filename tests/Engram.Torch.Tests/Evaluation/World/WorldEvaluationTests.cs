using Engram.Corpora.World;
using Engram.Evaluation.Scoring;
using Engram.Evaluation.World;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Evaluation.World;

public sealed class WorldEvaluationTests
{
    private static readonly WorldQuestion[] Questions = [.. new WorldQuestions(
            new SyntheticWorld(
                new WorldOptions
                {
                    Facts = 200,
                    Tokens = 60_000,
                    Window = 32,
                    Questions = 3,
                }
            )
        ).Sets().SelectMany(set => set.Questions)];

    [Fact]
    public void Outcomes_AreThoseOfOneContinuationAtATime_InBothEngines()
    {
        using var models = new InferenceModels(TinyRun.Configuration);
        using var managed = new ManagedModel(EngramModel.Open(models.Folder, threads: 1));
        using var torch = new TorchModel(LanguageModel.Load(models.Folder));
        var questions = Questions.Where(question => managed.Tokenizer.Encode(question.Prompt).Length < 200).ToArray();
        Assert.InRange(questions.Length, 10, Questions.Length);
        var expected = questions
            .Select(question => question.Choices.Select(choice => Alone(models.Torch, question.Prompt, choice)).ToArray())
            .ToArray();
        foreach (var model in new IScoredModel[] { managed, torch })
        {
            var outcomes = WorldEvaluation.Ask(model, questions, model.Memory);
            Assert.Equal(questions, outcomes.Select(outcome => outcome.Question));
            foreach (var (outcome, alone) in outcomes.Zip(expected))
            {
                Assert.Equal(alone[outcome.Question.Gold].Nats, outcome.Nats, 1e-3);
                Assert.Equal(alone[outcome.Question.Gold].Likeliest, outcome.Written);
                Assert.Equal(
                    alone.Min(choice => choice.Nats / choice.Tokens),
                    alone[outcome.Choice].Nats / alone[outcome.Choice].Tokens,
                    1e-4
                );
                Assert.Equal(outcome.Question.Bits - outcome.Nats / Math.Log(2), outcome.Bits, 1e-9);
            }
            Assert.NotEqual(
                outcomes.Select(outcome => outcome.Nats),
                WorldEvaluation.Ask(model, questions, null).Select(outcome => outcome.Nats)
            );
        }
    }

    [Fact]
    public void SilencedParts_AreThoseOfTheMemory_OfPromptsOrAnswersAlone()
    {
        using var models = new InferenceModels(TinyRun.Configuration);
        using var model = new ManagedModel(EngramModel.Open(models.Folder, threads: 1));
        var whole = Nats(null);
        using var silenced = model.Memory!.Suppressed(Suppression.Parse("all"));
        Assert.Equal(WorldEvaluation.Ask(model, Questions, silenced).Select(outcome => outcome.Nats), Nats(Suppression.Parse("all")));
        var (prompt, answer) = (Nats(Suppression.Parse("all@prompt")), Nats(Suppression.Parse("all@answer")));
        Assert.Equal(4, new[] { whole, Nats(Suppression.Parse("all")), prompt, answer }.Select(nats => nats.Sum()).Distinct().Count());

        double[] Nats(Suppression? part) => [.. WorldEvaluation.Ask(model, Questions, model.Memory, part).Select(outcome => outcome.Nats)];
    }

    [Fact]
    public void StandardErrors_AreOverFacts_NotOverQuestionsAboutThem()
    {
        var question = Questions.First(question => question.Kind == WorldQuestions.Contiguous);
        // Two facts, asked for twice each and answered alike: as much as two questions tell.
        WorldOutcome[] outcomes =
        [
            .. Enumerable.Range(0, 4).Select(i => new WorldOutcome(question with { Facts = [i % 2] }, i % 2 == 0, question.Gold, 1)),
        ];
        var score = WorldScore.Of(WorldQuestions.Contiguous, outcomes).First();
        Assert.Equal(0.5, score.Written);
        Assert.Equal(0.5, score.WrittenError!.Value, 1e-12);
        Assert.Equal(0, score.ChosenError!.Value, 1e-12);
        Assert.Null(WorldScore.Of(WorldQuestions.Contiguous, outcomes[..1]).First().WrittenError);
    }

    [Fact]
    public void Scores_AreSharesWithTheirErrors_ByBandAndSplit()
    {
        var hops = Questions.Where(question => question.Kind == WorldQuestions.TwoHop).ToArray();
        WorldOutcome[] outcomes =
        [
            .. hops.Select((question, i) => new WorldOutcome(question, i == 0, i < 2 ? question.Gold : 3 - question.Gold, i)),
        ];
        var scores = WorldScore.Of(WorldQuestions.TwoHop, outcomes).ToArray();
        Assert.Equal(("all", 3, 1 / 3.0, 2 / 3.0), (scores[0].Group, scores[0].Questions, scores[0].Written, scores[0].Chosen));
        Assert.Equal(Math.Sqrt(1 / 3.0 * (2 / 3.0) / 2), scores[0].WrittenError!.Value, 1e-12);
        Assert.Equal(["trained", "held_out", "out_of_distribution"], scores[1..4].Select(score => score.Group));
        Assert.Null(scores[0].FollowsText);

        var conflict = Questions.First(question => question.Kind == WorldQuestions.Conflict);
        var followed = WorldScore
            .Of(
                WorldQuestions.Conflict,
                [new(conflict, false, conflict.Choices.ToList().IndexOf(conflict.Trained!), 1), new(conflict, false, conflict.Gold, 1)]
            )
            .First();
        Assert.Equal((0.5, 0.5), (followed.FollowsText!.Value, followed.Chosen));
    }

    private static (double Nats, int Tokens, bool Likeliest) Alone(LanguageModel model, string prompt, string choice)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var state = model.Transformer.NewState();
        int[] context = [model.Configuration.StartTokenId!.Value, .. model.Tokenizer.Encode(prompt)];
        var ids = model.Tokenizer.Encode($"{prompt} {choice}")[(context.Length - 1)..];
        var (nats, likeliest) = (0.0, true);
        var hidden = model.Continue([state], context, model.Memory);
        foreach (var id in ids)
        {
            var last = nn
                .functional.log_softmax(model.Transformer.Logits(hidden.narrow(0, hidden.size(0) - 1, 1)).to(ScalarType.Float32), -1)
                .view(-1);
            nats -= last[id].item<float>();
            likeliest &= last.argmax().item<long>() == id;
            hidden = model.Continue([state], [id], model.Memory);
        }
        return (nats, ids.Length, likeliest);
    }
}
