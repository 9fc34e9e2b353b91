namespace Distributed.Standalone;

/// <summary>Keeps a second process off a volume for as long as this one lives; the system lets go when the process dies.</summary>
internal sealed class VolumeLock : IDisposable
{
    private readonly FileStream _file;

    private VolumeLock(FileStream file) => _file = file;

    /// <summary>Takes the lock.</summary>
    /// <exception cref="CommandException">Another process has it, or the directory cannot be written.</exception>
    public static VolumeLock Take(string volume)
    {
        var path = Path.Combine(volume, ".lock");
        try
        {
            Directory.CreateDirectory(volume);
            return new VolumeLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception) when (IsLocked(exception))
        {
            throw new CommandException(
                $"The volume {volume} is in use by another process. Stop that one, or choose another directory with --volume.",
                exception
            );
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(
                $"The volume {volume} cannot be written: {exception.Message} Choose another directory with --volume.",
                exception
            );
        }
    }

    /// <summary>A volume that is read-only has the file too, so its being there means nothing.</summary>
    private static bool IsLocked(IOException exception) =>
        OperatingSystem.IsWindows()
            ? (exception.HResult & 0xFFFF) is 32 or 33 // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
            : exception.HResult == (OperatingSystem.IsLinux() ? 11 : 35); // EWOULDBLOCK

    public void Dispose() => _file.Dispose();
}
