"""The namespace against its model: whatever is done, and whatever others do, they don't diverge."""

from hypothesis import settings

from tests.tree.drives import CachedDrives, Drives, SegmentedDrives

MACHINE = settings(max_examples=100, stateful_step_count=30, deadline=None)

TestDriveOverMemory = Drives.TestCase
TestDriveOverMemory.settings = MACHINE

TestDriveWithSegments = SegmentedDrives.TestCase
TestDriveWithSegments.settings = MACHINE

TestDriveOverCache = CachedDrives.TestCase
TestDriveOverCache.settings = MACHINE
