using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Distributed.AdminApi.Browser;

/// <summary>
/// Keeps the keys that protect forms and live pages in memory. What they protect is worth nothing without the sessions, which end with this process
/// too, so there is nothing to keep in a file, and no place for one to be found.
/// </summary>
internal sealed class MemoryKeys : IXmlRepository
{
    private readonly List<XElement> _elements = [];

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_elements)
        {
            return [.. _elements];
        }
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_elements)
        {
            _elements.Add(element);
        }
    }
}
