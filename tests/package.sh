#!/usr/bin/env bash
# Packs the library, uses the package from a program outside of this repository, compiles the samples ahead of time, and shows their sizes and what they print.
# tests/package.sh MODEL "TEXT"      MODEL is a model folder with memory, for example runs/quickstart/seed-1/engram/model
set -euo pipefail
[ $# -eq 2 ] || { sed -n '3s/^# /usage: /p' "$0" >&2; exit 2; }
model=$(realpath "$1"); text=$2
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Every package has the library, its XML documentation, a page, and says its licence.
for name in Engram Engram.Models Engram.Inference; do
  dotnet pack -c Release "src/$name" --output "$work/feed" -v quiet
  package=$(ls "$work/feed/$name".[0-9]*.nupkg)
  entries=$(unzip -Z1 "$package"); specification=$(unzip -p "$package" "$name.nuspec")
  for entry in "lib/net10.0/$name.dll" "lib/net10.0/$name.xml" README.md; do
    grep -qxF "$entry" <<< "$entries" || { echo "$package lacks $entry" >&2; exit 1; }
  done
  for element in '<license type="expression">MIT</license>' '<readme>README.md</readme>' '<description>' '<tags>' '<authors>'; do
    grep -qF "$element" <<< "$specification" || { echo "$package: its specification lacks $element" >&2; exit 1; }
  done
  echo "$(basename "$package"): $(stat -c %s "$package") bytes"
done
package=$(ls "$work"/feed/Engram.[0-9]*.nupkg)

# The program has the sample's source and the package; a package cache of its own, so that an older build of the same version is not taken.
mkdir "$work/user"; cp samples/LookUp/Program.cs "$work/user/"
version=$(basename "$package" .nupkg); version=${version#Engram.}
cat > "$work/user/user.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup>
  <ItemGroup><PackageReference Include="Engram" Version="$version" /></ItemGroup>
</Project>
PROJECT
NUGET_PACKAGES="$work/packages" dotnet run --project "$work/user" --property:RestoreAdditionalProjectSources="$work/feed" -- "$model" "$text" > "$work/from-package"

dotnet publish -c Release samples/LookUp --output "$work/sample" -v quiet
echo "LookUp, compiled ahead of time: $(stat -c %s "$work/sample/LookUp") bytes"
"$work/sample/LookUp" "$model" "$text" > "$work/ahead-of-time"
cmp "$work/from-package" "$work/ahead-of-time"
head -5 "$work/ahead-of-time"

# The engine's package brings the two below it.
mkdir "$work/engine"; cp samples/Generate/Program.cs "$work/engine/"
sed 's/Include="Engram"/Include="Engram.Inference"/' "$work/user/user.csproj" > "$work/engine/engine.csproj"
NUGET_PACKAGES="$work/packages" dotnet run --project "$work/engine" --property:RestoreAdditionalProjectSources="$work/feed" -- "$model" "$text" 16 > "$work/generated-from-package"
dotnet publish -c Release samples/Generate --output "$work/generate" -v quiet
echo "Generate, compiled ahead of time: $(stat -c %s "$work/generate/Generate") bytes"
"$work/generate/Generate" "$model" "$text" 16
[ -z "$(find "$work/generate" -name '*torch*')" ] || { echo "Generate carries libtorch" >&2; exit 1; }

dotnet publish -c Release samples/OpenModel --output "$work/open" -v quiet
echo "OpenModel, compiled ahead of time: $(stat -c %s "$work/open/OpenModel") bytes"
[ -z "$(find "$work/open" -name '*torch*')" ] || { echo "OpenModel carries libtorch" >&2; exit 1; }
echo "$text" > "$work/text.txt"
"$work/open/OpenModel" "$model" "$work/text.txt"
