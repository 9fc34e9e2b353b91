using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Distributed.TestServers;

/// <summary>
/// A real operating system process, to be watched through its output, and to be killed, frozen and continued
/// where a test asks what the others make of that. Disposal kills it and what it has started.
/// </summary>
public sealed partial class HostProcess : IAsyncDisposable
{
    /// <summary>The lines that are kept, standard output and standard error together; older ones are dropped.</summary>
    public const int KeptLines = 10_000;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(25);

    private readonly Process _process;
    private readonly Task _reading;
    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new();
    private TaskCompletionSource _changed = NewSignal();
    private long _dropped;

    private HostProcess(Process process, string name)
    {
        _process = process;
        Name = name;
        Id = process.Id;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    /// <summary>The name of the program, for messages.</summary>
    public string Name { get; }

    /// <summary>The process id.</summary>
    public int Id { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>The status it ended with: 128 + the signal's number after a signal (137 after <see cref="Kill"/>).</summary>
    /// <exception cref="InvalidOperationException">It still runs.</exception>
    public int ExitCode => _process.ExitCode;

    /// <summary>The lines seen so far, those dropped included. <see cref="WaitForLineAsync"/> can begin there.</summary>
    public long Position
    {
        get
        {
            lock (_lock)
            {
                return _dropped + _lines.Count;
            }
        }
    }

    /// <summary>The kept lines of standard output and standard error, in the order in which they came.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>Starts one of our services, as <c>dotnet X.dll ARGUMENTS</c>.</summary>
    /// <param name="dll">Path of the assembly; see <see cref="TestEnvironment.ServiceDll"/>.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="environment">Added to this process's own environment; null removes a variable.</param>
    public static HostProcess StartService(
        string dll,
        IEnumerable<string>? arguments = null,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        return Start(dotnet, [dll, .. arguments ?? []], environment, Path.GetFileNameWithoutExtension(dll));
    }

    /// <summary>Starts any program.</summary>
    public static HostProcess Start(
        string program,
        IEnumerable<string>? arguments = null,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? name = null
    )
    {
        var start = new ProcessStartInfo(program, arguments ?? [])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>())
        {
            if (value is null)
            {
                start.Environment.Remove(key);
            }
            else
            {
                start.Environment[key] = value;
            }
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        process.StandardInput.Close();
        return new HostProcess(process, name ?? Path.GetFileName(program));
    }

    /// <summary>The first line that fits, among those that came already and those to come.</summary>
    /// <param name="predicate">Which line is waited for.</param>
    /// <param name="timeout">How long; 30 s when not given.</param>
    /// <param name="from">Leaves out the lines before this <see cref="Position"/>.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TimeoutException">No such line in time.</exception>
    /// <exception cref="InvalidOperationException">The process ended without such a line.</exception>
    public async Task<string> WaitForLineAsync(
        Func<string, bool> predicate,
        TimeSpan? timeout = null,
        long from = 0,
        CancellationToken cancellationToken = default
    )
    {
        var limit = timeout ?? TimeSpan.FromSeconds(30);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(limit);
        while (true)
        {
            // In this order, so that a line that comes in between is not missed.
            var ended = _reading.IsCompleted;
            string[] fresh;
            Task changed;
            lock (_lock)
            {
                fresh = [.. _lines.Skip((int)long.Clamp(from - _dropped, 0, _lines.Count))];
                from = _dropped + _lines.Count;
                changed = _changed.Task;
            }

            if (Array.Find(fresh, line => predicate(line)) is { } found)
            {
                return found;
            }

            if (ended)
            {
                throw new InvalidOperationException($"{Describe()} ended without the line that was waited for.{Tail()}");
            }

            try
            {
                await Task.WhenAny(changed, _reading).WaitAsync(bound.Token);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"{Describe()} did not write the line that was waited for within {limit}.{Tail()}", e);
            }
        }
    }

    /// <summary>Waits until a GET of <paramref name="uri"/> is answered with success (2xx).</summary>
    /// <exception cref="TimeoutException">It was not in time (30 s when not given).</exception>
    /// <exception cref="InvalidOperationException">The process ended before.</exception>
    public async Task WaitForHealthyAsync(Uri uri, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(30);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(limit);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var last = "no answer yet";
        try
        {
            while (true)
            {
                if (_process.HasExited)
                {
                    throw new InvalidOperationException($"{Describe()} ended before {uri} was healthy ({last}).{Tail()}");
                }

                try
                {
                    using var response = await client.GetAsync(uri, bound.Token);
                    if (response.IsSuccessStatusCode)
                    {
                        return;
                    }

                    last = $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(bound.Token)}";
                }
                catch (HttpRequestException e)
                {
                    last = e.Message;
                }
                catch (OperationCanceledException) when (!bound.IsCancellationRequested)
                {
                    last = "no answer within 5 s";
                }

                await Task.Delay(PollInterval, bound.Token);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{Describe()}: {uri} was not healthy within {limit} ({last}).{Tail()}", e);
        }
    }

    /// <summary>Waits for its end and for the rest of its output; the exit status.</summary>
    /// <exception cref="TimeoutException">It still runs (after 30 s when not given).</exception>
    public async Task<int> WaitForExitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(30);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(limit);
        try
        {
            await _process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{Describe()} still runs after {limit}.{Tail()}", e);
        }

        await FinishReadingAsync();
        return _process.ExitCode;
    }

    /// <summary>SIGKILL: it ends at once, without a chance to release anything.</summary>
    public void Kill() => Signal(9);

    /// <summary>SIGTERM: it is asked to shut down.</summary>
    public void Terminate() => Signal(15);

    /// <summary>SIGSTOP: it freezes, its connections stay open.</summary>
    public void Pause() => Signal(OperatingSystem.IsMacOS() ? 17 : 19);

    /// <summary>SIGCONT: it goes on where it was frozen.</summary>
    public void Continue() => Signal(OperatingSystem.IsMacOS() ? 19 : 18);

    public async ValueTask DisposeAsync()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or AggregateException)
        {
            // It, or a process below it, ended by itself meanwhile.
        }

        await _process.WaitForExitAsync();
        await FinishReadingAsync();
        _process.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Bounded: a process that it started may hold the pipes open beyond its own end.
    private async Task FinishReadingAsync() => await Task.WhenAny(_reading, Task.Delay(TimeSpan.FromSeconds(2)));

    private async Task ReadAsync(StreamReader reader)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                lock (_lock)
                {
                    _lines.Enqueue(line);
                    if (_lines.Count > KeptLines)
                    {
                        _lines.Dequeue();
                        _dropped++;
                    }

                    _changed.SetResult();
                    _changed = NewSignal();
                }
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or IOException or OperationCanceledException)
        {
            // Disposed while a process that it started still held the pipe.
        }
    }

    private void Signal(int signal)
    {
        // An ended process's id may belong to another by now.
        if (_process.HasExited)
        {
            return;
        }

        const int noSuchProcess = 3;
        if (SendSignal(Id, signal) != 0 && Marshal.GetLastPInvokeError() is var error and not noSuchProcess)
        {
            throw new InvalidOperationException($"Signal {signal} to {Describe()}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    private string Describe() => $"{Name} (process {Id}{(_process.HasExited ? $", exit status {_process.ExitCode}" : "")})";

    private string Tail()
    {
        var lines = Lines;
        var text = new StringBuilder().AppendLine().AppendLine(lines.Count == 0 ? "It has written nothing." : "The end of its output:");
        foreach (var line in lines.Skip(Math.Max(0, lines.Count - 40)))
        {
            text.AppendLine(line);
        }

        return text.ToString();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int process, int signal);
}
