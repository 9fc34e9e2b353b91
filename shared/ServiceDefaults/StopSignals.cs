using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Distributed.ServiceDefaults;

/// <summary>
/// How a process ends when it is asked to: the first SIGINT (Ctrl-C), SIGTERM or SIGQUIT ends it in order, the next one at once, both
/// with the status that a shell gives to that signal (130, 143, 131).
/// </summary>
public static partial class StopSignals
{
    private static readonly CancellationTokenSource Stop = new();
    private static int s_status;

    // For as long as the process lives: a signal after the last line of the program is answered too.
    private static PosixSignalRegistration[]? s_registrations;

    /// <summary>The status to end with after a signal; null when none came.</summary>
    public static int? Status => s_status == 0 ? null : s_status;

    /// <summary>Begins to listen; to be called first of all, and only in a program's own process.</summary>
    /// <returns>Cancelled by the first signal.</returns>
    public static CancellationToken Listen()
    {
        s_registrations ??=
        [
            .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT }.Select(signal =>
                PosixSignalRegistration.Create(signal, Handle)
            ),
        ];
        return Stop.Token;
    }

    /// <summary>Leaves signals to this class, where a host would stop by itself at the first and break off at the second.</summary>
    public static IServiceCollection AddStopSignals(this IServiceCollection services) => services.AddSingleton<IHostLifetime, NoLifetime>();

    private static void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        var status =
            128
            + context.Signal switch
            {
                PosixSignal.SIGINT => 2,
                PosixSignal.SIGQUIT => 3,
                _ => 15,
            };
        if (Interlocked.CompareExchange(ref s_status, status, 0) == 0)
        {
            _ = Stop.CancelAsync();
        }
        else
        {
            EndNow(status);
        }
    }

    /// <summary>Without what a runtime and native libraries do at their end: threads that still compute would meet what is taken down.</summary>
    private static void EndNow(int status)
    {
        if (OperatingSystem.IsWindows())
        {
            Environment.Exit(status);
        }

        ExitProcess(status);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void ExitProcess(int status);

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
