using Engram.Torch.Sequences;
using Engram.Torch.Tests.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Sequences;

/// <summary>
/// Whatever happens to states, what they compute is what the whole sequences give: memory windows, convolution and documents included.
/// </summary>
[OneThread]
public class SequenceStateTests
{
    public static TheoryData<string, ScalarType, double> Precisions()
    {
        var cases = new TheoryData<string, ScalarType, double>();
        foreach (var name in StateModel.Configurations.Keys)
        {
            cases.Add(name, ScalarType.Float64, 1e-11);
            // of the largest value; the same tokens in passes of other shapes, so sums in another order
            cases.Add(name, ScalarType.Float32, 1e-5);
        }

        return cases;
    }

    [Theory, MemberData(nameof(Precisions))]
    public void Eight_sequences_at_different_positions_equal_each_alone(string name, ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var model = new StateModel(StateModel.Configurations[name], type);
        var random = new Random(2);
        var texts = Enumerable.Range(0, 8).Select(b => StateModel.Ids(random, 3 + 4 * b + 6)).ToArray();
        SequenceState[] together = States(model, 8),
            alone = States(model, 8);
        for (var b = 0; b < 8; b++)
        {
            var prompt = texts[b].AsSpan(0, 3 + 4 * b);
            TensorAssert.BitIdentical(model.Continue([alone[b]], prompt), model.Continue([together[b]], prompt));
        }

        foreach (var (from, count) in new[] { (0, 1), (1, 1), (2, 3), (5, 1) })
        {
            var all = model.Continue(together, [.. texts.SelectMany((text, b) => text.Skip(3 + 4 * b + from).Take(count))]);
            for (var b = 0; b < 8; b++)
                TensorAssert.Close(
                    model.Continue([alone[b]], texts[b].AsSpan(3 + 4 * b + from, count))[0],
                    all[b],
                    tolerance,
                    $"sequence {b}, {from}"
                );
        }

        Free(together, alone);
    }

    [Theory, MemberData(nameof(StateModel.Names), MemberType = typeof(StateModel))]
    public void Any_script_of_chunks_forks_and_truncations_equals_recomputation(string name)
    {
        using var model = new StateModel(StateModel.Configurations[name]);
        for (var seed = 0; seed < 4; seed++)
        {
            var random = new Random(seed);
            var states = new List<SequenceState> { model.Transformer.NewState() };
            for (var step = 0; step < 25; step++)
            {
                using var scope = NewDisposeScope();
                switch (random.Next(6))
                {
                    case 0 when states.Count < 5:
                        states.Add(random.Next(3) == 0 ? model.Transformer.NewState() : states[random.Next(states.Count)].Fork());
                        break;
                    case 1:
                        var cut = states[random.Next(states.Count)];
                        cut.Truncate(random.Next(cut.Length + 1));
                        break;
                    case 2 when states.Count > 2:
                        var gone = random.Next(states.Count);
                        states[gone].Dispose();
                        states.RemoveAt(gone);
                        break;
                    default:
                        Extend(
                            model,
                            [.. states.OrderBy(_ => random.Next()).Take(1 + random.Next(states.Count))],
                            random,
                            $"seed {seed}, step {step}"
                        );
                        break;
                }
            }

            Free(states);
        }
    }

    [Fact]
    public void A_fork_and_its_origin_go_their_own_ways()
    {
        using var scope = NewDisposeScope();
        using var model = new StateModel(TinyModels.Full);
        int[] text = [.. Enumerable.Range(1, 20)];
        using var origin = model.Transformer.NewState();
        model.Continue([origin], text);
        using var fork = origin.Fork();
        using var untouched = origin.Fork();
        // All three share their values until the first goes on.
        Assert.Same(origin.Storage, fork.Storage);
        TensorAssert.Close(model.Whole([.. text, 3, 4])[20..], model.Continue([origin], [3, 4])[0], 1e-11);
        TensorAssert.Close(model.Whole([.. text, 9, 8])[20..], model.Continue([fork], [9, 8])[0], 1e-11);
        Assert.NotSame(origin.Storage, fork.Storage);
        origin.Dispose();
        TensorAssert.Close(model.Whole([.. text, 5])[20..], model.Continue([untouched], [5])[0], 1e-11);
        var all = model.Continue([fork, untouched], [7, 6]);
        TensorAssert.Close(model.Whole([.. text, 9, 8, 7])[22..], all[0], 1e-11);
        TensorAssert.Close(model.Whole([.. text, 5, 6])[21..], all[1], 1e-11);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(8), InlineData(11), InlineData(12), InlineData(19), InlineData(20)]
    public void A_truncated_state_is_the_one_of_before(int length)
    {
        using var scope = NewDisposeScope();
        using var model = new StateModel(TinyModels.Full with { AttentionDocumentMask = true });
        int[] text = [.. Enumerable.Range(1, 11), StateModel.Start, .. Enumerable.Range(12, 4), StateModel.Dead, 20, 21, 22];
        using var state = model.Transformer.NewState();
        model.Continue([state], text);
        state.Truncate(length);
        Assert.Equal(text[..length], state.Tokens.TokenIds.ToArray());
        int[] other = [30, 31, 32, StateModel.Start, 33, 34, 1, 2, 3, 4, 5, 6, 7]; // longer than the convolution reaches, 9
        TensorAssert.Close(model.Whole([.. text[..length], .. other])[length..], model.Continue([state], other)[0], 1e-11);
    }

    [Fact]
    public void States_that_stay_together_are_not_copied()
    {
        using var scope = NewDisposeScope();
        using var model = new StateModel(TinyModels.Full);
        var states = States(model, 3);
        model.Continue([states[0]], [1, 2, 3]);
        model.Continue(states, [4, 5, 6]);
        var storage = states[0].Storage;
        for (var t = 0; t < 20; t++)
            model.Continue(states, [7, 8, 9]);
        model.Continue(states[1..], [1, 2]); // neighbours among themselves
        Assert.All(states, state => Assert.Same(storage, state.Storage));
        Free(states);
    }

    [Fact]
    public void A_pass_that_fails_leaves_the_states_as_they_were()
    {
        using var scope = NewDisposeScope();
        using var model = new StateModel(TinyModels.Full);
        using var state = model.Transformer.NewState();
        model.Continue([state], [1, 2, 3]);
        using var wrong = Sample.Memory(TinyModels.Full, 1, 5, 1, ScalarType.Float64); // rows of five tokens, not of two
        Assert.ThrowsAny<Exception>(() => model.Transformer.Continue([state], [4, 5], wrong));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Transformer.Continue([state], [37], null));
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => model.Transformer.Continue([state, state], [4, 5], null)).Message);
        Assert.Throws<ArgumentException>(() => model.Transformer.Continue([], [], null));
        Assert.Throws<ArgumentException>(() => model.Transformer.Continue([state, model.Transformer.NewState()], [1, 2, 3], null));
        Assert.Equal([1, 2, 3], state.Tokens.TokenIds.ToArray());
        TensorAssert.Close(model.Whole([1, 2, 3, 4, 5])[3..], model.Continue([state], [4, 5])[0], 1e-11);
    }

    [Fact]
    public void States_are_usable_inside_and_outside_inference_mode_and_leave_nothing()
    {
        using var model = new StateModel(TinyModels.Full);
        var before = 0L;
        for (var round = 0; round < 3; round++)
        {
            using (var scope = NewDisposeScope())
            {
                using var state = model.Transformer.NewState();
                using (inference_mode())
                    model.Continue([state], [1, 2, 3]);
                using var fork = state.Fork();
                model.Continue([state], [4]);
                using (inference_mode())
                    model.Continue([fork, state], [5, 6]);
                fork.Truncate(0);
                model.Continue([fork], [5, 6]);
            }

            if (round == 0)
                before = DisposeScopeManager.Statistics.ThreadTotalLiveCount; // the rotary table stays
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        using var gone = model.Transformer.NewState();
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => gone.Fork());
        Assert.Throws<ObjectDisposedException>(() => model.Transformer.Continue([gone], [1], null));
        Assert.Equal(0, gone.Length);
    }

    private static void Extend(StateModel model, SequenceState[] states, Random random, string when)
    {
        var count = random.Next(4) switch
        {
            0 => 1,
            1 => 1 + random.Next(4),
            _ => 1 + random.Next(12),
        };
        var offsets = states.Select(state => state.Length).ToArray();
        var ids = StateModel.Ids(random, states.Length * count);
        var hidden = model.Continue(states, ids);
        for (var b = 0; b < states.Length; b++)
        {
            Assert.Equal(ids.AsSpan(b * count, count), states[b].Tokens.TokenIds[offsets[b]..]);
            // Float64, other shapes of the same products, amplified by the slope of the signed root.
            TensorAssert.Close(
                model.Whole(states[b].Tokens.TokenIds).narrow(0, offsets[b], count),
                hidden[b],
                1e-10,
                $"{when}, state {b} at {offsets[b]}"
            );
        }
    }

    private static SequenceState[] States(StateModel model, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => model.Transformer.NewState())];

    private static void Free(params IEnumerable<SequenceState>[] states)
    {
        foreach (var state in states.SelectMany(s => s))
            state.Dispose();
    }
}
