using System.Reflection;
using Xunit.v3;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>
/// Runs the tests of a class with one libtorch thread. They are made of tiny operators, and threads that wait for each other actively cost
/// ten times the work on a machine that has other things to do.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class OneThreadAttribute : BeforeAfterTestAttribute
{
    private int _before;

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        _before = get_num_threads();
        set_num_threads(1);
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test) => set_num_threads(_before);
}
