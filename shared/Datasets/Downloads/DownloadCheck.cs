using System.Security.Cryptography;

namespace Distributed.Datasets.Downloads;

/// <summary>What a downloaded file must be. Members that are null are not checked.</summary>
/// <param name="Md5">MD5, 32 hexadecimal digits, where the publisher gives nothing better.</param>
/// <param name="Sha256">SHA-256, 64 hexadecimal digits.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Sha256Prefix">What the SHA-256 begins with, where the publisher gives no more of it.</param>
public sealed record DownloadExpectation(string? Md5 = null, string? Sha256 = null, long? Length = null, string? Sha256Prefix = null);

/// <summary>What a download may cost.</summary>
/// <param name="Bytes">The most bytes of a file.</param>
/// <param name="Time">The longest that it may take, all slices together.</param>
public sealed record DownloadLimits(long Bytes, TimeSpan Time)
{
    /// <summary>16 GiB and a day: STL-10 has 2.5 GiB.</summary>
    public static DownloadLimits Default { get; } = new(16L << 30, TimeSpan.FromDays(1));
}

/// <summary>Holds a download to what it must be and may cost. What fails for good is deleted, so that another try starts over.</summary>
internal sealed class DownloadCheck(Uri source, PartialDownload partial, DownloadExpectation? expectation, DownloadLimits limits)
{
    /// <summary>Whether halves of two different files would be noticed: by the server's validators, or by the hash at the end.</summary>
    public bool CanResume =>
        partial.Notes is { } notes
        && (notes.Condition is not null || expectation is { Md5: not null } or { Sha256: not null } or { Sha256Prefix: not null });

    /// <summary>The position to go on from: 0 where nothing is there, or where nobody could say whether it is the same file.</summary>
    public long ResumeAt()
    {
        if (CanResume && partial.Length > 0 && !(partial.Length > partial.Notes!.Total))
        {
            return partial.Length;
        }

        partial.Delete();
        return 0;
    }

    /// <exception cref="DatasetException">All slices together took longer than a download may.</exception>
    public void ThrowIfTooSlow()
    {
        if (partial.Spent > limits.Time)
        {
            throw Refuse(
                $"'{source}' gave {partial.Length >> 20} MiB in {partial.Spent.TotalHours:F1} hours, and downloads may take {limits.Time.TotalHours:F1}. Use a nearer mirror, or raise Ingestion:DownloadTime."
            );
        }
    }

    /// <summary>What can be known before the bytes come.</summary>
    /// <exception cref="DatasetException">The server announces another length than the expected one, or too many bytes.</exception>
    /// <exception cref="IOException">The disk has too little space.</exception>
    public void ThrowIfUnfit()
    {
        if (partial.Notes?.Total is not { } total)
        {
            return;
        }

        ThrowIfOtherLength(total);
        ThrowIfTooLong(total);
        // Waited for, as a full volume is: somebody will make room.
        var (missing, free) = (total - partial.Length, partial.FreeSpace);
        if (missing > free)
        {
            throw new IOException($"'{source}' needs {missing >> 20} MiB more, and the volume has {free >> 20} MiB free. Make room.");
        }
    }

    /// <exception cref="DatasetException">So many bytes are more than a download may have.</exception>
    public void ThrowIfTooLong(long length)
    {
        if (length > limits.Bytes)
        {
            throw Refuse(
                $"'{source}' has more than {limits.Bytes} bytes, the most of a download. Check the address, or raise Ingestion:DownloadBytes."
            );
        }
    }

    /// <summary>Checks the whole file.</summary>
    /// <exception cref="DatasetException">It is not the one expected.</exception>
    public async Task VerifyAsync(CancellationToken cancellationToken)
    {
        ThrowIfOtherLength(partial.Length);
        await VerifyHashAsync(HashAlgorithmName.SHA256, expectation?.Sha256, cancellationToken);
        await VerifyHashAsync(HashAlgorithmName.SHA256, expectation?.Sha256Prefix, cancellationToken);
        await VerifyHashAsync(HashAlgorithmName.MD5, expectation?.Md5, cancellationToken);
    }

    private void ThrowIfOtherLength(long length)
    {
        if (expectation?.Length is { } expected && length != expected)
        {
            throw Refuse($"'{source}' has {length} bytes, and {expected} were expected. Check the address and the expected length.");
        }
    }

    private async Task VerifyHashAsync(HashAlgorithmName algorithm, string? expected, CancellationToken cancellationToken)
    {
        if (expected is null)
        {
            return;
        }

        var found = await partial.HashAsync(algorithm, cancellationToken);
        if (!found.StartsWith(expected, StringComparison.OrdinalIgnoreCase))
        {
            throw Refuse(
                $"'{source}' has the {algorithm.Name} {found}, and {expected}{(expected.Length < found.Length ? "…" : "")} was expected. The file changed or was damaged on the way: what came was deleted; check the expected value and download again."
            );
        }
    }

    private DatasetException Refuse(string message)
    {
        partial.Delete();
        return new DatasetException(message);
    }
}
