using System.Diagnostics;

namespace Engram.Inference.Threads;

/// <summary>
/// Threads that do the parts of one piece of work together with their caller. Between two pieces they look for the next one for a moment,
/// as long as a token's layers follow
/// each other, and then sleep: a model that nobody uses takes no processor time. One caller at a time; running work allocates nothing.
/// </summary>
/// <typeparam name="TState">What the parts work on.</typeparam>
internal sealed class ThreadTeam<TState> : IDisposable
    where TState : class
{
    private const int SpinsBetweenLooks = 1; // some 40 ns
    private const int SpinsBeforeYield = 8000;
    private static readonly long WatchTime = Stopwatch.Frequency / 10_000; // 100 µs

    private readonly SemaphoreSlim _wake = new(0);
    private readonly int _others;
    private Action<TState, int>? _work;
    private TState? _state;
    private Exception? _failure;
    private long _ticket; // number of the piece u32 | parts that nobody has taken yet u32
    private int _unfinished; // parts taken or not, but not done
    private int _asleep;
    private volatile bool _ended;

    /// <summary>Starts the threads.</summary>
    /// <param name="threads">The caller's included, at least 1.</param>
    public ThreadTeam(int threads)
    {
        Threads = threads;
        _others = threads - 1;
        for (var i = 0; i < _others; i++)
            new Thread(Serve) { IsBackground = true, Name = "Engram inference" }.Start();
    }

    /// <summary>Threads that work, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Does parts 0 … parts − 1, in any order and at the same time, and returns when all are done.</summary>
    /// <exception cref="Exception">What a part has thrown; the others are done.</exception>
    public void Run(Action<TState, int> work, TState state, int parts)
    {
        (_work, _state, _unfinished) = (work, state, parts);
        var ticket = ((_ticket >> 32) + 1) << 32 | (uint)parts;
        // A full fence: either this caller sees who sleeps, or who is about to sleep sees the work.
        Interlocked.Exchange(ref _ticket, ticket);
        if (Volatile.Read(ref _asleep) > 0 && Interlocked.Exchange(ref _asleep, 0) is > 0 and var sleepers)
            _wake.Release(sleepers);
        while (TryPart()) { }

        for (var spins = 0; Volatile.Read(ref _unfinished) > 0; spins++)
            if (spins < SpinsBeforeYield)
                Thread.SpinWait(SpinsBetweenLooks);
            else
                Thread.Yield();
        if (_failure is not { } failure)
            return;
        _failure = null;
        throw failure;
    }

    /// <summary>Ends the threads. No work may be running.</summary>
    public void Dispose()
    {
        _ended = true;
        _wake.Release(_others + 1);
    }

    private void Serve()
    {
        while (!_ended)
        {
            if (TryPart())
                continue;
            var begun = Stopwatch.GetTimestamp();
            while (!HasParts() && Stopwatch.GetTimestamp() - begun < WatchTime)
                Thread.SpinWait(SpinsBetweenLooks);
            if (!HasParts())
                Sleep();
        }
    }

    private void Sleep()
    {
        Interlocked.Increment(ref _asleep);
        while (HasParts())
        {
            // Work has come meanwhile: take the word back, unless the caller has taken it and wakes us.
            var asleep = Volatile.Read(ref _asleep);
            if (asleep == 0)
                break;
            if (Interlocked.CompareExchange(ref _asleep, asleep - 1, asleep) == asleep)
                return;
        }

        _wake.Wait();
    }

    private bool HasParts() => (uint)Volatile.Read(ref _ticket) > 0;

    /// <summary>Takes a part and does it; false if none is left.</summary>
    private bool TryPart()
    {
        var ticket = Volatile.Read(ref _ticket);
        while ((uint)ticket > 0)
        {
            var before = Interlocked.CompareExchange(ref _ticket, ticket - 1, ticket);
            if (before == ticket)
            {
                // From here on the caller waits for this part, so work and state stay what they are.
                try
                {
                    _work!(_state!, (int)((uint)ticket - 1));
                }
                catch (Exception e)
                {
                    _failure = e;
                }

                Interlocked.Decrement(ref _unfinished);
                return true;
            }

            ticket = before;
        }

        return false;
    }
}
