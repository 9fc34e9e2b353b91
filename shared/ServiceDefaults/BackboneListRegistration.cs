using Distributed.Networks;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Distributed.ServiceDefaults;

/// <summary>For hosts that know bases by their names.</summary>
public static class BackboneListRegistration
{
    /// <summary>Registers the list of bases, with those of the file that <see cref="BackboneList.FileSetting"/> names.</summary>
    public static void AddBackboneList(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton(_ => BackboneList.Load(builder.Configuration[BackboneList.FileSetting]));
    }
}
