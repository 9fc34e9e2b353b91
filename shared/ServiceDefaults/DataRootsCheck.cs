using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Distributed.ServiceDefaults;

/// <summary>
/// Every directory of <c>Data:Roots</c> is there and can be read: otherwise this host would fail the runs that name a path
/// that the other hosts can read.
/// </summary>
internal sealed class DataRootsCheck(IConfiguration configuration) : IHostCheck
{
    public string Name => "data roots";

    public Task<HostCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        var complaints = configuration
            .GetSection("Data:Roots")
            .GetChildren()
            .Select(root => (Variable: $"Data__Roots__{root.Key}", Path: root.Value ?? ""))
            .Select(root => Complain(root.Path) is { } complaint ? $"{root.Variable} is '{root.Path}', which {complaint}." : null)
            .Where(complaint => complaint is not null)
            .ToList();
        return Task.FromResult(
            complaints.Count == 0
                ? HostCheckResult.Passed
                : HostCheckResult.Waiting(
                    $"{string.Join(" ", complaints)} Mount it, let the user '{Environment.UserName}' read it, or take the variable away."
                )
        );
    }

    private static string? Complain(string root)
    {
        try
        {
            if (!Directory.Exists(root))
            {
                return File.Exists(root) ? "is no directory"
                    : Path.Exists(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(root))) ? "does not exist"
                    : "does not exist, or stands in a folder that this process may not read";
            }

            // Naming what stands in it takes one right, reaching it another.
            if (Directory.EnumerateFileSystemEntries(root).FirstOrDefault() is { } entry)
            {
                File.GetAttributes(entry);
            }

            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return "this process may not read";
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // What stood in it was removed meanwhile.
            return null;
        }
        catch (IOException exception)
        {
            return $"cannot be read: {exception.Message}";
        }
    }
}

/// <summary>For hosts whose jobs read what specifications name.</summary>
public static class DataRootsRegistration
{
    /// <summary>Lets this host take work only while it can read every directory of <c>Data:Roots</c>.</summary>
    public static void AddDataRootsCheck(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostCheck, DataRootsCheck>());
    }
}
