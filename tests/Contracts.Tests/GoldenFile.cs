using Distributed.TestServers;

namespace Distributed.Contracts.Tests;

/// <summary>Files of the repository that tests compare with what the code says, and write again on demand.</summary>
internal static class GoldenFile
{
    public const string Remedy = "UPDATE_GOLDEN=1 in the environment of this test writes it.";

    public static bool IsWritten => Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1";

    public static string PathOf(string name) => Path.Combine(TestEnvironment.RepositoryRoot, name);
}
