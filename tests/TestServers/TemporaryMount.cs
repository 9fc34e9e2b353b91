using System.Diagnostics;

namespace Distributed.TestServers;

/// <summary>A file system in memory, with a file of ballast that leaves it as full as a test wants.</summary>
public sealed class TemporaryMount : IDisposable
{
    private readonly string _elsewhere;

    private TemporaryMount(DirectoryInfo directory)
    {
        Path = directory.FullName;
        _elsewhere = Path + "-elsewhere";
    }

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <returns>Null where this user may not mount file systems.</returns>
    public static async Task<TemporaryMount?> TryCreateAsync()
    {
        var directory = Directory.CreateTempSubdirectory("distributed-mount-");
        if (await TryAsync("mount", "-t", "tmpfs", "-o", "size=1g", "none", directory.FullName))
        {
            return new TemporaryMount(directory);
        }

        directory.Delete();
        return null;
    }

    /// <param name="outage">full, read-only or unmounted.</param>
    /// <param name="left">Where it is to be full, so many bytes that are left, so that a file comes to be half written.</param>
    /// <returns>Mends it again when disposed.</returns>
    public async Task<IAsyncDisposable> BreakAsync(string outage, int left = 0)
    {
        switch (outage)
        {
            case "full":
                var ballast = global::System.IO.Path.Combine(Path, "ballast");
                Fill(ballast, left);
                return new Mending(() =>
                {
                    File.Delete(ballast);
                    return Task.CompletedTask;
                });
            case "read-only":
                // Refused as busy while a file is open for writing.
                await DoAsync("mount", "-o", "remount,ro", Path);
                return new Mending(() => DoAsync("mount", "-o", "remount,rw", Path));
            default:
                Directory.CreateDirectory(_elsewhere);
                await DoAsync("mount", "--make-private", Path);
                await DoAsync("mount", "--bind", Path, _elsewhere);
                await DoAsync("umount", "--lazy", Path);
                return new Mending(async () =>
                {
                    await DoAsync("mount", "--bind", _elsewhere, Path);
                    await DoAsync("umount", _elsewhere);
                    Directory.Delete(_elsewhere);
                });
        }
    }

    public void Dispose()
    {
        using var unmounting = Process.Start("umount", ["--lazy", Path]);
        unmounting.WaitForExit();
        Directory.Delete(Path);
    }

    private static void Fill(string path, int left)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var megabyte = new byte[1 << 20];
        try
        {
            while (true)
            {
                file.Write(megabyte);
            }
        }
        catch (IOException)
        {
            // Full, which is what was wanted.
        }

        if (left > 0)
        {
            file.SetLength(RandomAccess.GetLength(file.SafeFileHandle) - left);
        }
    }

    private static async Task DoAsync(string program, params string[] arguments)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await TryAsync(program, arguments))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), patience.Token);
        }
    }

    private static async Task<bool> TryAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false }
        )!;
        await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    private sealed class Mending(Func<Task> mend) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await mend();
    }
}
