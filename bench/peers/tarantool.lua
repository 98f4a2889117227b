-- A queue by hand on Tarantool: put, take and ack of many tasks, a transaction each, on a log that
-- is fsynced before a transaction is answered. The port and the folder are given by the bench.
box.cfg {
    listen = "127.0.0.1:" .. arg[1],
    work_dir = arg[2],
    wal_mode = "fsync",
    memtx_memory = 1024 * 1024 * 1024,
    checkpoint_interval = 0,
    readahead = 1024 * 1024,
    net_msg_max = 4096,
    log_level = 3,
}

local READY, TAKEN = 0, 1

local tasks = box.schema.space.create("tasks")
tasks:create_index("id", { parts = { { 1, "unsigned" } } })
tasks:create_index("state", { parts = { { 2, "unsigned" }, { 1, "unsigned" } } })
local by_state = tasks.index.state
local last_id = 0

function put(payloads)
    box.begin()
    for _, payload in ipairs(payloads) do
        last_id = last_id + 1
        tasks:insert({ last_id, READY, payload })
    end
    box.commit()
    return last_id
end

function take(count)
    box.begin()
    local taken = by_state:select({ READY }, { limit = count })
    for index, task in ipairs(taken) do
        taken[index] = tasks:update(task[1], { { "=", 2, TAKEN } })
    end
    box.commit()
    return taken
end

function ack(ids)
    box.begin()
    for _, id in ipairs(ids) do
        tasks:delete(id)
    end
    box.commit()
end

box.schema.func.create("put")
box.schema.func.create("take")
box.schema.func.create("ack")
box.schema.user.grant("guest", "read,write,execute", "universe")
